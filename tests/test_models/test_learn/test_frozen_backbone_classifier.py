"""The head alone trains, on features that are computed once."""

import copy

import pytest
import tiny_learn
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

SAMPLES = [
    DataSample(metainfo=dict(sample_idx=i)).set_gt_label(i % 3)
    for i in range(6)
]


def build(**options):
    cfg = Config.fromstring(tiny_learn.config_text(), '.py').baseline
    cfg = dict(cfg, type='mmocc.FrozenBackboneClassifier', **options)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    model.init_weights()
    return model


def images(model):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(256, (6, 3, 32, 32), generator=generator)
    data = dict(inputs=inputs.to(torch.uint8), data_samples=SAMPLES)
    return model.data_preprocessor(data, True)['inputs']


@pytest.fixture(autouse=True)
def first_epoch(monkeypatch):
    hub = MessageHub.get_instance('frozen')
    hub.update_info('epoch', 0)
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)


def state_of(model) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def test_only_the_head_trains():
    model = build(occluder=dict())
    optim = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=1.0
    )
    before, inputs = state_of(model), images(model)
    model.train()
    for _ in range(2):
        optim.zero_grad()
        model.loss(inputs, SAMPLES)['loss'].backward()
        optim.step()
    changed = {
        name
        for name, tensor in model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed == {'head.fc.weight', 'head.fc.bias', 'occluder.steps'}


@pytest.mark.parametrize('occluder', [None, dict(variants=1)])
def test_losses_are_those_of_the_images_and_their_twins(tmp_path, occluder):
    model = build(
        occluder=occluder,
        clean_cache=str(tmp_path),
        clean_cache_dtype='float32',
    ).train()
    inputs, samples = images(model), SAMPLES
    expected = inputs
    if occluder:
        twins, _ = model.occluder(inputs, data_samples=SAMPLES)
        expected, samples = torch.cat([inputs, twins]), SAMPLES * 2
    with torch.no_grad():
        logits = model.eval()(expected, mode='tensor')
    labels = torch.tensor([int(sample.gt_label) for sample in samples])
    wanted = torch.nn.functional.cross_entropy(logits, labels)
    read = []
    model.train().backbone.register_forward_hook(
        lambda module, args, output: read.append(len(args[0]))
    )
    for _ in range(2):
        loss = model.loss(inputs, SAMPLES)['loss']
        torch.testing.assert_close(loss.detach(), wanted)
    assert read == [len(expected)]  # the second time all are on disk
    plain = build(occluder=occluder).train()
    torch.testing.assert_close(plain.loss(inputs, SAMPLES)['loss'], loss)


def test_learn_shares_the_folder(tmp_path):
    """So the clean images of phase 1 are not computed again in phase 2."""
    folder = dict(clean_cache=str(tmp_path))
    model = build(**folder).train()
    inputs = images(model)
    model.loss(inputs, SAMPLES)
    cfg = Config.fromstring(tiny_learn.config_text(), '.py').model
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        learn = MODELS.build(cfg | folder | dict(occluder=dict(variants=1)))
    learn.init_weights()
    learn.load_state_dict(model.state_dict(), strict=False)
    read = []
    learn.train().backbone.register_forward_hook(
        lambda module, args, output: read.append(len(args[0]))
    )
    learn.loss(inputs, SAMPLES)
    assert read == [6]  # the twins
