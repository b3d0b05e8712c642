"""The head: attention, chosen latents, fusion, losses."""

import pytest
import torch
from conftest import HALVES
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

GRID = (4, 4)


def head(**kwargs):
    torch.manual_seed(0)
    settings = dict(
        type='mmocc.OFERHead',
        num_classes=7,
        in_channels=16,
        hidden_dims=(12, 8),
        selector=dict(type='mmocc.LatentTokenSelector'),
        readout=dict(type='mmocc.LatentProjection', in_dims=6, out_dims=10),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(settings, **kwargs))


def data(number=4):
    torch.manual_seed(1)
    feats = (torch.randn(number, 16, 2, 2),)
    latents = torch.randn(number, 17, 6)
    samples = [DataSample().set_gt_label(i % 7) for i in range(number)]
    return feats, latents, samples


def test_with_a_resnet18_the_release_has_474719997_parameters():
    cfg = dict(
        type='mmocc.OFERHead',
        num_classes=7,
        in_channels=512,
        selector=dict(type='mmocc.LatentTokenSelector', mode='box'),
        readout=dict(type='mmocc.LatentMLP'),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = MODELS.build(dict(type='ResNet', depth=18))
        with torch.device('meta'):
            model = MODELS.build(
                dict(type='mmocc.LatentOFER', backbone=backbone, head=cfg)
            )
    assert sum(p.numel() for p in model.parameters()) == 474_719_997


def test_feature_of_many_heads_is_the_sum_of_log_softmax_over_them():
    features = [torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]])]
    # channel 0: 2 log(1/2); channel 1: log(e2/(e2+e4)) + log(e4/(e2+e4))
    expected = torch.tensor([[-1.386294, -2.253856]])
    torch.testing.assert_close(head().merge(features), expected)
    assert head().merge(features[:1]) is features[0]


def test_logits_depend_on_chosen_latents_and_on_no_others():
    model = head().eval()
    feats, latents, _ = data()
    result = model.recognise(feats, latents, GRID)
    assert result.chosen.shape == (4, 8)
    others = torch.ones(4, 16, dtype=torch.bool)
    others.scatter_(1, result.chosen, False)
    changed = latents.clone()
    changed[:, 1:][others] *= -1
    changed[:, 0] *= -1  # the class token's
    torch.testing.assert_close(model(feats, changed, GRID), result.logits)
    changed[0, 1 + result.chosen[0, 0]] *= -1
    assert not torch.allclose(model(feats, changed, GRID)[0], result.logits[0])


@pytest.mark.parametrize(
    ('keys', 'names'),
    [('spatial', {'loss_cls'}), ('cam', {'loss_cls', 'loss_cam'})],
)
def test_every_part_learns(keys, names):
    model = head(keys=keys)
    feats, latents, samples = data()
    losses = model.loss(feats, samples, latents, GRID)
    assert losses.keys() == names
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_cam_is_weights_times_feature_of_the_class_it_sees():
    model = head(keys='cam').eval()
    feature = torch.randn(3, 16, 2, 2)
    cam, logits = model.class_map(feature)
    bias = model.cam.bias[logits.argmax(1)]
    torch.testing.assert_close(
        cam.mean(dim=(1, 2)) + bias, logits.max(dim=1).values
    )


def test_spatial_attention_is_the_mean_of_the_heads():
    model = head(selector=None, readout=None, num_heads=2).eval()
    feats, _, _ = data()
    maps = [part(feats[0]).attention for part in model.heads]
    attention = model.recognise(feats).attention
    torch.testing.assert_close(attention, (maps[0] + maps[1]) / 2)


def test_predict_gives_attention_and_chosen_patches():
    feats, latents, samples = data()
    row = head().eval().predict(feats, samples, latents, GRID)[0]
    assert row is samples[0]
    assert row.attention.shape == GRID
    assert row.chosen_patches.sum() == 8
    worst = row.attention[~row.chosen_patches].max()
    assert worst <= row.attention[row.chosen_patches].min()
    assert row.pred_score.sum().item() == pytest.approx(1)


def test_without_a_selector_it_is_a_head_for_any_classifier():
    cfg = dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet', depth=18, stem_channels=8, base_channels=8
        ),
        head=dict(type='mmocc.OFERHead', num_classes=7, in_channels=64),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    images = torch.randn(2, 3, 64, 64)
    assert model.loss(images, samples)['loss_cls'] > 0
    assert model.eval().predict(images)[0].attention.shape == (2, 2)


def test_missing_latents_and_pooled_features_are_refused():
    feats, latents, _ = data()
    with pytest.raises(ValueError, match='reads latents'):
        head()(feats)
    with pytest.raises(ValueError, match=r'maps \(N, 16, h, w\), got \(4, 1'):
        head()((feats[0].mean(dim=(2, 3)),), latents, GRID)
    with pytest.raises(ValueError, match="keys 'grad'"):
        head(keys='grad')


@pytest.mark.parametrize('dtype', HALVES)
def test_autocast_gives_finite_float32_losses(dtype):
    feats, latents, samples = data()
    with torch.autocast('cpu', dtype):
        losses = head(keys='cam').loss(feats, samples, latents, GRID)
    for loss in losses.values():
        assert loss.dtype == torch.float32
        assert loss.isfinite()
