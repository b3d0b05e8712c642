"""LEARN inside a backbone: maps from disk take the place of what is first."""

import copy

import pytest
import tiny_learn
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmocc.models import FeatureReconstructionLoss

IMAGES = 6
SAMPLES = [
    DataSample(metainfo=dict(sample_idx=i)).set_gt_label(i % 3)
    for i in range(IMAGES)
]
LAYER2 = dict(
    learn=dict(type='mmocc.LEARN', in_channels=16, pool='none'),
    insert_after='backbone.layer2',
    neck=dict(type='GlobalAveragePooling'),
)


def build(**changes):
    cfg = Config.fromstring(tiny_learn.config_text(), '.py').model
    cfg.pop('loss_intra'), cfg.pop('loss_inter')
    cfg.update(occluder=dict(variants=2), **LAYER2 | changes)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    model.init_weights()
    model.backbone.train()
    with torch.no_grad():
        model.backbone(torch.randn(64, 3, 32, 32))  # statistics of batch norm
    return model.train()


def batch(model, side=32):
    torch.manual_seed(1)
    images = torch.randint(256, (IMAGES, 3, side, side)).to(torch.uint8)
    data = dict(inputs=images, data_samples=SAMPLES)
    return model.data_preprocessor(data, True)['inputs']


def runs_of(model, *names):
    """Note the number of images that modules read."""
    runs = []
    for name in names:
        model.get_submodule(name).register_forward_hook(
            lambda module, args, output: runs.append(len(args[0]))
        )
    return runs


@pytest.fixture(autouse=True)
def epoch(monkeypatch):
    """Return a function that sets the epoch of a run."""
    hub = MessageHub.get_instance('inner')
    hub.update_info('epoch', 0)
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)
    return lambda number: hub.update_info('epoch', number)


@pytest.mark.parametrize('clean_pass', [True, False])
@pytest.mark.parametrize('side', [32, 50])
def test_losses_and_gradients_are_those_without_a_cache(
    tmp_path, epoch, clean_pass, side
):
    options = dict(
        clean_pass=clean_pass, loss_last=dict(), loss_distill=dict()
    )
    plain = build(**options)
    cached = build(
        clean_cache=str(tmp_path), clean_cache_dtype='float32', **options
    )
    inputs = batch(plain, side)
    for number in (0, 1, 2, 3):
        epoch(number)
        results = []
        for model in (plain, cached):
            losses = model.loss(inputs, SAMPLES)
            model.zero_grad()
            sum(losses.values()).backward()
            grads = {n: p.grad for n, p in model.learn.named_parameters()}
            results.append((losses, grads))
        assert set(results[0][0]) == {
            'loss_rec', 'loss_intra', 'loss_inter', 'loss_cls',
            'loss_distill', 'loss_last',
        }  # fmt: skip
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
    assert len(list(tmp_path.glob('*/*.npz'))) == 3 * IMAGES


def test_what_comes_first_runs_on_one_small_image_once_all_is_known(
    tmp_path, epoch
):
    model = build(clean_cache=str(tmp_path))
    inputs = batch(model)
    for number in (0, 1):
        epoch(number)
        model.loss(inputs, SAMPLES)
    first = runs_of(model, 'backbone.layer1')
    rest = runs_of(model, 'backbone.layer3')
    epoch(2)
    model.loss(inputs, SAMPLES)
    assert first == [1]
    assert rest == [2 * IMAGES]


def test_the_loss_of_the_last_map_is_that_of_the_whole_pass():
    model = build(loss_last=dict(), clean_pass=False)
    inputs = batch(model)
    with torch.no_grad():
        loss = model.loss(inputs, SAMPLES)['loss_last']
        twins, _ = model.occluder(inputs, data_samples=SAMPLES)
        (repaired,) = model.extract_feat(twins, stage='backbone')
        (clean,) = model.backbone(inputs)
    torch.testing.assert_close(loss, F.mse_loss(repaired, clean))
    both = build(loss_last=dict())  # and of repaired clean images
    with torch.no_grad():
        loss = both.loss(inputs, SAMPLES)['loss_last']
        (own,) = both.extract_feat(inputs, stage='backbone')
    wanted = (F.mse_loss(repaired, clean) + F.mse_loss(own, clean)) / 2
    torch.testing.assert_close(loss, wanted)


def test_maps_of_another_place_are_refused(tmp_path):
    model = build(clean_cache=str(tmp_path))
    inputs = batch(model)
    model.loss(inputs, SAMPLES)
    other = build(
        clean_cache=str(tmp_path),
        learn=dict(type='mmocc.LEARN', in_channels=32),
        insert_after='backbone.layer3',
    )
    with pytest.raises(ValueError, match='settings of backbone differ'):
        other.loss(inputs, SAMPLES)


@pytest.mark.parametrize(
    ('place', 'channels'),
    [
        # a branch of a residual block, the rest of which is not known
        ('backbone.layer3.1.conv1', 32),
        # no image of 32 pixels leaves more than a row of it
        ('backbone.layer4.1.conv2', 64),
    ],
)
def test_a_place_that_does_not_tell_the_rest_is_refused(
    tmp_path, place, channels
):
    learn = dict(type='mmocc.LEARN', in_channels=channels)
    model = build(clean_cache=str(tmp_path), learn=learn, insert_after=place)
    inputs = batch(model, 64)
    with pytest.raises(ValueError, match='reads more than the map of'):
        model.loss(inputs, SAMPLES)


def test_options_that_need_the_inside_of_a_backbone_are_refused(tmp_path):
    neck = dict(
        neck=[
            dict(type='mmocc.LEARN', in_channels=64),
            dict(type='GlobalAveragePooling'),
        ],
        learn=None,
        insert_after=None,
    )
    with pytest.raises(ValueError, match='loss_rec is the loss of a LEARN'):
        build(loss_last=dict(), **neck)
    after = dict(
        learn=dict(type='mmocc.LEARN', in_channels=64), insert_after='neck'
    )
    with pytest.raises(ValueError, match="insert_after='neck' gives"):
        build(clean_cache=str(tmp_path), **after)


def test_a_relative_loss_is_divided_by_the_variance_of_the_target():
    torch.manual_seed(0)
    target = 7 * torch.randn(4, 3, 5, 5) + 2
    pred = torch.randn(4, 3, 5, 5)
    loss = FeatureReconstructionLoss(relative=True)(pred, target)
    wanted = F.mse_loss(pred, target) / target.var(correction=0)
    torch.testing.assert_close(loss, wanted)
    # In other units it is the same; the mean of the target costs 1.
    scaled = FeatureReconstructionLoss(relative=True)(10 * pred, 10 * target)
    torch.testing.assert_close(scaled, loss)
    mean = target.mean().expand_as(target)
    one = FeatureReconstructionLoss('l1', relative=True)(mean, target)
    torch.testing.assert_close(one, torch.tensor(1.0))
    flat = FeatureReconstructionLoss(relative=True)(
        pred, torch.ones(4, 3, 5, 5)
    )
    assert flat.isfinite()
    with pytest.raises(ValueError, match='relative=False'):
        FeatureReconstructionLoss('cosine', relative=True)


def test_checkpoints_load_and_predict_without_the_cache(tmp_path):
    model = build(clean_cache=str(tmp_path), loss_last=dict())
    plain = build()
    plain.load_state_dict(copy.deepcopy(model.state_dict()))
    inputs = batch(model)
    with torch.no_grad():
        answers = [m.eval()(inputs, mode='tensor') for m in (model, plain)]
    assert torch.equal(*answers)
    assert not list(tmp_path.iterdir())
    assert isinstance(model.learn, nn.Module)
