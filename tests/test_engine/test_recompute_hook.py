"""Gradients and statistics of modules that are computed again are the same."""

import copy
import subprocess
import sys

import pytest
import torch

pytest.importorskip('mmpretrain')

import run_config
import tiny_mae
import tiny_recon
from conftest import ROOT
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from mmocc.engine.recompute_hook import RecomputeHook, find, use_recompute_hook
from mmocc.utils import cli

BACKBONE = dict(
    type='ResNet_CIFAR',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(3,),
)

PEAK = """
import sys
import torch
from torch import nn
from benchmarks.memory import peak_mib
from mmocc.engine.recompute_hook import find, recompute

torch.set_num_threads(1)
layers = [nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
model = nn.Sequential(*(nn.Sequential(*layers * 4) for _ in range(8)))
if sys.argv[1] == 'again':
    for index in range(8):
        recompute(find(model, str(index))[0])
images = torch.randn(4, 16, 128, 128)
model(images[:1, :, :8, :8]).mean().backward()
print(peak_mib(lambda: model(images).mean().backward()))
"""


class Runner:
    """What the hook asks a runner for."""

    def __init__(self, model):
        self.model = model
        self.logger = self
        self.said = []

    def info(self, line):
        self.said.append(line)


def apply(model, *names):
    """Return the model with the hook at work."""
    RecomputeHook(names).before_train(Runner(model))
    return model


def resnet(**changes):
    backbone = dict(BACKBONE, **changes)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(backbone)
    model.train()  # which returns nothing
    return model


def state_after(model, images, autocast=False):
    """Return output, gradients and buffers after forward and backward."""
    torch.manual_seed(1)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        out = model(images)
    out = out[-1] if isinstance(out, tuple) else out
    out.float().square().mean().backward()
    grads = {
        name: None if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }
    return out.detach(), grads, dict(model.named_buffers())


def same(one, two):
    assert one[1].keys() == two[1].keys()
    for name, grad in one[1].items():
        assert (grad is None) == (two[1][name] is None), name
    one[1].update({k: torch.zeros(1) for k, v in one[1].items() if v is None})
    two[1].update({k: torch.zeros(1) for k, v in two[1].items() if v is None})
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('frozen', [-1, 1])
@pytest.mark.parametrize(
    'names', [('layer1', 'layer3'), ('layer1.0', 'layer4'), ('',)]
)
def test_a_resnet_has_the_same_gradients_and_statistics(
    names, frozen, autocast
):
    images = torch.randn(4, 3, 16, 16)
    plain = nn.ModuleDict(dict(net=resnet(frozen_stages=frozen)))
    small = copy.deepcopy(plain)
    apply(small, *(f'net.{name}'.rstrip('.') for name in names))
    expected = state_after(plain['net'], images, autocast)
    assert any(grad is not None for grad in expected[1].values())
    before = resnet().layer3[0].bn1.running_mean
    assert not torch.equal(plain['net'].layer3[0].bn1.running_mean, before)
    same(state_after(small['net'], images, autocast), expected)
    assert small.state_dict().keys() == plain.state_dict().keys()


def test_the_modules_are_run_twice_and_without_gradient_once():
    model, calls = resnet(), []
    model.layer2[0].conv1.register_forward_hook(lambda *_: calls.append(1))
    apply(model, 'layer2')
    apply(model, 'layer2')  # as a second call of train does
    images = torch.randn(2, 3, 16, 16)
    model(images)[0].mean().backward()
    assert len(calls) == 2
    with torch.no_grad():
        model(images)
    assert len(calls) == 3


def test_dropout_drops_the_same():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(8, 99), nn.Dropout(0.5), nn.Linear(99, 4))
    small = apply(copy.deepcopy(plain), '0-2')
    images = torch.randn(5, 8)
    same(state_after(small, images), state_after(plain, images))


def test_the_layers_of_a_vit_are_computed_again_one_by_one():
    plain = tiny_mae.build_mae().train()
    small = copy.deepcopy(plain)
    runner = Runner(small)
    names = ['backbone.layers', 'neck.decoder_blocks']
    RecomputeHook(names).before_train(runner)
    count = len(plain.backbone.layers) + len(plain.neck.decoder_blocks)
    assert runner.said[0].startswith(f'{count} parts of the model')
    images = torch.randn(2, 3, tiny_mae.SIZE, tiny_mae.SIZE)
    found = []
    for model in (plain, small):
        torch.manual_seed(2)  # the masks
        loss = model.loss(images, [])['loss']
        loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        found.append([loss, *grads])
    torch.testing.assert_close(*found)


def test_blocks_of_ssds_vgg_are_chains_of_its_layers():
    pytest.importorskip('mmdet')
    from mmdet.models import SSDVGG

    torch.manual_seed(0)
    plain = SSDVGG(
        depth=16,
        with_last_pool=False,
        ceil_mode=True,
        out_indices=(3, 4),
        out_feature_indices=(22, 34),
    )
    plain.train()
    small = copy.deepcopy(plain)
    blocks = ('0-4', '5-9', '10-16', '17-22', '23-30')
    apply(small, *(f'features.{block}' for block in blocks))
    images = torch.randn(1, 3, 48, 48)
    maps = [model(images) for model in (plain, small)]
    torch.testing.assert_close(maps[1], maps[0])
    for outs in maps:
        sum(out.square().mean() for out in outs).backward()
    for one, two in zip(plain.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad)


def test_redrawing_trains_the_same_against_its_critics():
    weights = []
    for names in ((), ('unet.downs', 'unet.ups')):
        model = apply(tiny_recon.build().train(), *names)
        wrapper = build_optim_wrapper(model, copy.deepcopy(tiny_recon.OPTIM))
        torch.manual_seed(3)
        for _ in range(2):
            model.train_step(tiny_recon.batch(), wrapper)
        weights.append(model.state_dict())
    torch.testing.assert_close(weights[1], weights[0])


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('layer7', r"no module 'layer7'.*conv1.*layer1"),
        ('layer1.9', r"'layer1\.9'.*where '9' should be there are 0, 1"),
        ('layer1.0-9', r"'layer1\.0-9' to compute again: layer1 has 2"),
        ('layer1.1-0', r"no modules 'layer1\.1-0'"),
    ],
)
def test_a_module_that_is_not_there_is_named(name, message):
    with pytest.raises(ValueError, match=message):
        find(resnet(), name)


def test_mmengines_setting_becomes_the_hook():
    cfg = Config(dict(activation_checkpointing=['backbone.layer1']))
    use_recompute_hook(cfg)
    assert cfg.activation_checkpointing is None
    assert cfg.custom_hooks == [
        dict(type='mmocc.RecomputeHook', modules=['backbone.layer1'])
    ]
    use_recompute_hook(cfg)
    assert len(cfg.custom_hooks) == 1


def test_memory_is_less():
    def peak(how):
        done = subprocess.run(
            [sys.executable, '-c', PEAK, how],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout.split()[-1])

    assert peak('again') < 0.8 * peak('plain')


@pytest.mark.parametrize('amp', [False, True])
def test_a_run_with_it_ends_with_the_same_weights(tmp_path, tiny_config, amp):
    weights = []
    for names in (None, ['backbone.layer1', 'backbone.layer3']):
        cfg = Config.fromfile(tiny_config)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.activation_checkpointing = names
        if amp:
            cli.use_amp(cfg)
        runner = run_config.train(cfg, tmp_path / f'{names is None}', 1)
        layer = runner.model.backbone.layer1
        assert hasattr(layer.forward, 'recomputes') == (names is not None)
        weights.append(runner.model.state_dict())
    torch.testing.assert_close(weights[1], weights[0])
