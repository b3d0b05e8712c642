"""Checkpoints of all kinds fill a model, or are refused with the reason."""

import sys
from collections import OrderedDict
from types import ModuleType

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from mmocc.utils import cli
from mmocc.utils.state_dicts import (
    CheckpointError,
    find_weights,
    load_from_file,
    named_as,
    read_checkpoint,
    without_wrappers,
)
from mmocc.utils.weights import fill_model


class Net(nn.Module):
    """A backbone and a head of one layer each."""

    def __init__(self, classes=2):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, classes)


def weights(seed=1, **options):
    torch.manual_seed(seed)
    return Net(**options).state_dict()


def equal(one, other):
    """Return whether two state dicts are the same, except for counters."""
    names = [n for n in one if not n.endswith('num_batches_tracked')]
    return all(torch.equal(one[name], other[name]) for name in names)


def prefixed(prefix):
    return {f'{prefix}{name}': value for name, value in weights().items()}


def averaged():
    """Return the state of mmengine's moving average, which counts steps."""
    torch.manual_seed(1)
    return ExponentialMovingAverage(Net()).state_dict()


OTHER = dict(weights(seed=2))
WAYS = dict(
    bare=weights(),
    mmengine=dict(state_dict=weights(), ema_state_dict=OTHER, meta={}),
    ema=averaged(),
    only_ema=dict(ema_state_dict=averaged(), epoch=3),
    timm_ema=dict(state_dict=OTHER, state_dict_ema=weights()),
    detr_ema=dict(model=OTHER, model_ema=prefixed('module.')),
    no_ema=dict(model=weights(), model_ema={}),
    model=dict(model=weights(), rng=torch.zeros(3)),
    model_state=dict(model_state=weights()),
    ddp=dict(state_dict=prefixed('module.')),
    compiled=dict(model_state_dict=prefixed('module._orig_mod.')),
    lightning=dict(state_dict=prefixed('model.')),
)


@pytest.mark.parametrize('way', WAYS)
def test_weights_are_found_wherever_a_file_has_them(tmp_path, way):
    path = tmp_path / 'some.pth'
    torch.save(WAYS[way], path)
    model = Net()
    fill_model(model, read_checkpoint(path)['state_dict'], 'some.pth')
    assert equal(weights(), model.state_dict())


def test_a_file_without_weights_is_refused():
    for content in ({}, dict(state_dict={}), dict(model='resnet'), [1]):
        with pytest.raises(CheckpointError, match=r'x\.pth holds no weights'):
            find_weights(content, 'x.pth')


@pytest.mark.parametrize('stand_in', [False, True])
def test_safetensors_are_read_and_hold_no_code(
    tmp_path, monkeypatch, stand_in
):
    """Without the package, a stand-in shows that it would be asked."""
    path = str(tmp_path / 'some.safetensors')
    package = ModuleType('safetensors.torch')
    package.load_file = torch.load
    package.save_file = torch.save
    if stand_in:
        monkeypatch.setitem(sys.modules, 'safetensors', package)
        monkeypatch.setitem(sys.modules, 'safetensors.torch', package)
    else:
        package = pytest.importorskip('safetensors.torch')
    package.save_file(dict(weights()), path)
    cli.check_checkpoint(path, 'CONFIG CHECKPOINT')
    assert equal(weights(), read_checkpoint(path)['state_dict'])


def test_without_the_package_safetensors_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    with pytest.raises(CheckpointError, match='pip install safetensors'):
        load_from_file('some.safetensors', 'cpu')


def test_names_of_the_models_own_are_not_taken_for_a_wrappers():
    own = ['model.a', 'b']
    assert without_wrappers({'model.a': 1, 'b': 2}, own) == {
        'model.a': 1,
        'b': 2,
    }
    state = OrderedDict({'module.a.w': 1})
    state._metadata = OrderedDict({'module': 1, 'module.a': 2})
    stripped = without_wrappers(state)
    assert stripped == {'a.w': 1}
    assert stripped._metadata == {'': 1, 'a': 2}  # versions of the parts


def test_what_does_not_fit_is_counted_and_named():
    state = weights(classes=5)
    state['aux.weight'] = torch.ones(1)
    del state['backbone.0.bias'], state['backbone.1.num_batches_tracked']
    with pytest.raises(CheckpointError) as error:
        fill_model(Net(), state, 'x.pth')
    text = str(error.value)
    assert text.startswith('x.pth does not fit the model: 1 of 9 tensors are')
    for words in (
        'missing (backbone.0.bias)',
        '2 have another shape (head.weight: [5, 4] there, [2, 4] in the mod',
        '1 have no place in the model (aux.weight)',
        'config that it was trained with',
    ):
        assert words in text, text


def test_a_training_starts_from_a_part_but_not_from_nothing():
    state = weights(classes=5)
    model = Net()
    fill_model(model, state, 'x.pth', whole=False)
    assert torch.equal(
        model.state_dict()['backbone.0.weight'], state['backbone.0.weight']
    )
    other = {f'other.{name}': value for name, value in state.items()}
    # A counter or a statistic alone is nothing, either.
    other['backbone.1.running_mean'] = torch.ones(4)
    with pytest.raises(CheckpointError, match='fills no parameter') as error:
        fill_model(model, other, 'x.pth', whole=False)
    assert 'model_converters' in str(error.value)


def classifier(**model):
    """Build mmpretrain's classifier."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        built = MODELS.build(Config(dict(type='ImageClassifier', **model)))
    return built.eval()


def resnet():
    """Return mmpretrain's and torchvision's ResNet-18."""
    ours = classifier(
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=512),
    )
    return ours, torchvision.models.resnet18(num_classes=3).eval(), 64


def vit():
    """Return both libraries' ViT of one layer."""
    arch = dict(
        embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=16
    )
    backbone = dict(
        type='VisionTransformer', arch=arch, img_size=32, patch_size=16
    )
    backbone['norm_cfg'] = dict(type='LN', eps=1e-6)
    head = dict(type='VisionTransformerClsHead', num_classes=3, in_channels=8)
    theirs = torchvision.models.VisionTransformer(
        32, 16, 1, 2, 8, 16, num_classes=3
    )
    nn.init.normal_(theirs.heads.head.weight)  # zeros at the start
    return classifier(backbone=backbone, head=head), theirs.eval(), 32


@pytest.mark.parametrize('pair', [resnet, vit])
@torch.no_grad()
def test_torchvisions_weights_give_torchvisions_answers(pair):
    torch.manual_seed(0)
    ours, theirs, side = pair()
    fill_model(ours, theirs.state_dict(), 'torchvision.pth')
    images = torch.randn(2, 3, side, side)
    torch.testing.assert_close(ours(images), theirs(images))


TIMM_VIT = dict(
    cls_token='cls_token',
    pos_embed='pos_embed',
    **{
        'patch_embed.proj.weight': 'patch_embed.projection.weight',
        'blocks.3.norm1.weight': 'layers.3.ln1.weight',
        'blocks.3.attn.qkv.bias': 'layers.3.attn.qkv.bias',
        'blocks.3.attn.proj.weight': 'layers.3.attn.proj.weight',
        'blocks.3.norm2.bias': 'layers.3.ln2.bias',
        'blocks.3.mlp.fc1.weight': 'layers.3.ffn.layers.0.0.weight',
        'blocks.3.mlp.fc2.bias': 'layers.3.ffn.layers.1.bias',
        'norm.weight': 'ln1.weight',
    },
)


def test_timms_names_become_mmpretrains():
    state = dict.fromkeys(TIMM_VIT, 0) | {'head.weight': 0}
    own = {f'backbone.{name}' for name in TIMM_VIT.values()}
    own.add('head.layers.head.weight')
    renamed, layout = named_as(state, own)
    assert set(renamed) == own
    assert layout == 'timm, ViT and DeiT'
    # mmpretrain's wrappers of timm's models
    state = {'conv_stem.weight': 0, 'classifier.bias': 0}
    for own, layout in (
        ({'backbone.timm_model.conv_stem.weight', 'head.fc.bias'}, 'Backbone'),
        ({'model.conv_stem.weight', 'model.classifier.bias'}, 'Classifier'),
    ):
        renamed, found = named_as(state, own)
        assert (set(renamed), found[-len(layout) :]) == (own, layout)
    # One name without a place: nothing is guessed.
    assert named_as(state, {'model.conv_stem.weight'}) == (state, None)
