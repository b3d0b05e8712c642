import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from tiny_mae import PATCHES, SIZE, build_mae, mae_config

from mmocc.models.ofer import PatchLatentExtractor, PatchSVDD
from mmocc.models.ofer.svdd import (
    one_class_loss,
    push_from_zero,
)
from mmocc.registry import MODELS


@pytest.fixture(scope='module')
def extractor():
    return PatchLatentExtractor(build_mae())


@pytest.fixture
def svdd(extractor):
    torch.manual_seed(0)
    return PatchSVDD(extractor, dims=(16, 8), data_preprocessor=dict())


def images(number=8, seed=0):
    torch.manual_seed(seed)
    return torch.randn(number, 3, SIZE, SIZE)


def pasted(coverage):
    sample = DataSample()
    sample.set_metainfo(dict(patch_coverage=coverage, img_path='a.png'))
    return sample


def batch(*inputs):
    return dict(
        inputs=[x for x in inputs], data_samples=[DataSample() for _ in inputs]
    )


def train(model, steps=60, lr=1e-3):
    optimizer = torch.optim.Adam(model.projection.parameters(), lr)
    losses = []
    for step in range(steps):
        loss = model.loss(images(8, step))['loss_svdd']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


def test_inliers_stay_inside_and_shifted_tokens_are_rejected(svdd):
    """Of Gaussian tokens, 1 - nu lie inside; those shifted lie outside."""
    torch.manual_seed(1)
    mix = torch.randn(24, 24) / 24**0.5
    draw = lambda n: torch.randn(n, 24) @ mix + 1  # noqa: E731
    tokens = draw(4000)
    svdd.centre.copy_(push_from_zero(svdd.project(tokens).mean(0).detach()))
    optimizer = torch.optim.Adam(svdd.projection.parameters(), 1e-3)
    for part in tokens.split(200) * 3:
        loss = one_class_loss(svdd.distances(svdd.project(part)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        seen = svdd.distances(svdd.project(tokens))
        radius = np.quantile(seen, 1 - svdd.nu)
        fresh = svdd.distances(svdd.project(draw(4000)))
        shifted = svdd.distances(svdd.project(draw(1000) + 6))
    assert abs((fresh <= radius).float().mean() - 0.9) < 0.02
    assert (shifted > radius).float().mean() > 0.99


def test_the_centre_is_set_once_and_away_from_zero(svdd):
    with pytest.raises(RuntimeError, match='no centre'):
        svdd.patch_distances(images())
    first = images()
    wanted = svdd.project(svdd.extractor.encode(first)).flatten(0, 1).mean(0)
    svdd.loss(first)
    assert torch.allclose(svdd.centre, push_from_zero(wanted), atol=1e-5)
    assert (svdd.centre.abs() >= 0.1 - 1e-6).all()
    before = svdd.centre.clone()
    svdd.loss(images(8, 1))
    assert torch.equal(svdd.centre, before)


def test_training_draws_clean_patches_together(svdd):
    losses = train(svdd)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert not any(p.requires_grad for p in svdd.extractor.parameters())


def test_occluded_patches_take_no_part(svdd):
    coverage = np.zeros((4, 4), np.float32)
    coverage[1, 2] = 0.1
    first = images(1)
    svdd.loss(first)
    clean = torch.ones(PATCHES, dtype=torch.bool)
    clean[6] = False
    wanted = svdd.patch_distances(first)[0, clean].square().mean()
    found = svdd.loss(first, [pasted(coverage)])
    assert torch.allclose(found['loss_svdd'], wanted)
    none = svdd.loss(first, [pasted(np.ones((4, 4)))])['loss_svdd']
    none.backward()
    assert none == 0
    assert all((p.grad == 0).all() for p in svdd.projection.parameters())


def test_a_first_batch_without_a_clean_patch_is_refused(svdd):
    with pytest.raises(ValueError, match='no clean patch'):
        svdd.loss(images(1), [pasted(np.ones((4, 4)))])


def test_a_coverage_of_another_grid_is_refused(svdd):
    with pytest.raises(ValueError, match=r'a.png.*\(2, 2\).*\(4, 4\)'):
        svdd.loss(images(1), [pasted(np.zeros((2, 2)))])


@pytest.mark.parametrize('nu', [0.05, 0.3])
def test_the_radius_leaves_a_share_nu_of_clean_patches_outside(extractor, nu):
    svdd = PatchSVDD(extractor, dims=(16, 8), nu=nu, data_preprocessor={})
    train(svdd, 3)
    first = images(40, 5)
    with pytest.raises(ValueError, match='FitRadiusHook'):
        svdd.detect(first)
    count = svdd.fit([batch(*first[:25]), batch(*first[25:])])
    assert count == 40 * PATCHES
    found = svdd.detect(first)
    assert abs(found.mask.float().mean() - nu) < 0.005
    assert torch.equal(found.mask, found.distances > svdd.radius)
    assert found.grid == (4, 4)


def test_fitting_leaves_out_what_is_occluded(svdd):
    train(svdd, 3)
    first = images(4, 5)
    data = batch(*first)
    for sample in data['data_samples'][:2]:
        sample.set_metainfo(dict(patch_coverage=np.ones((4, 4))))
    svdd.train()
    assert svdd.fit([data]) == 2 * PATCHES
    assert svdd.training
    assert svdd.detect(first[2:]).mask.float().mean() < 0.15


def test_the_soft_boundary_follows_the_batches_quantile(extractor):
    svdd = PatchSVDD(
        extractor,
        dims=(16, 8),
        objective='soft-boundary',
        warmup_iters=2,
        data_preprocessor={},
    )
    train(svdd, 2)
    assert svdd.radius == 0
    first = images(8, 7)
    distances = svdd.patch_distances(first).flatten().detach()
    loss = svdd.loss(first)['loss_svdd']
    radius = np.quantile(distances, 0.9)
    assert np.isclose(svdd.radius, radius, atol=1e-5)
    over = (distances.square() - radius**2).clamp_min(0)
    assert np.isclose(loss.item(), radius**2 + over.mean() / 0.1, rtol=1e-4)


def test_predict_fills_the_samples(svdd):
    train(svdd, 3)
    svdd.fit([batch(*images(8, 5))])
    first = images(3, 6)
    samples = svdd(first, [DataSample() for _ in range(3)], mode='predict')
    found = svdd.detect(first)
    for i, sample in enumerate(samples):
        assert torch.equal(sample.pred_patch_dist, found.distances[i])
        assert torch.equal(sample.pred_patch_mask, found.mask[i])
        assert sample.patch_grid == (4, 4)
        pixels = sample.pred_occlusion_mask
        assert pixels.shape == (SIZE, SIZE)
        assert torch.equal(pixels[::8, ::8].flatten(), found.mask[i])
    assert len(svdd(first, mode='predict')) == 3
    assert svdd(first).shape == (3, PATCHES)
    with pytest.raises(ValueError, match='mode'):
        svdd(first, mode='other')


def test_a_kernel_sphere_on_top_finds_and_survives(extractor):
    options = dict(
        dims=(16, 8),
        kernel=dict(max_patches=100),
        data_preprocessor={},
    )
    svdd = PatchSVDD(extractor, **options)
    train(svdd, 20)
    svdd.fit([batch(*images(20, 5)), batch(*images(20, 6))])
    assert 0 < len(svdd.kernel.weight) <= 100
    first = images(8, 9)
    assert svdd.detect(first).mask.float().mean() < 0.25
    assert (svdd.patch_distances(first) <= 2).all()
    other = PatchSVDD(extractor, **options)
    other.load_state_dict(svdd.state_dict())
    assert torch.equal(
        other.detect(first).distances, svdd.detect(first).distances
    )
    assert options['kernel'] == dict(max_patches=100)  # not emptied


def test_all_that_is_learnt_is_in_the_checkpoint(svdd, extractor, tmp_path):
    train(svdd, 3)
    svdd.fit([batch(*images(8, 5))])
    torch.save(svdd.state_dict(), tmp_path / 'svdd.pth')
    other = PatchSVDD(extractor, dims=(16, 8))
    other.load_state_dict(torch.load(tmp_path / 'svdd.pth', weights_only=True))
    assert torch.equal(
        other.detect(images(2)).mask, svdd.detect(images(2)).mask
    )


@pytest.mark.parametrize('options', [dict(dims=(16, 4)), dict(kernel={})])
def test_a_checkpoint_with_other_options_is_refused(svdd, extractor, options):
    other = PatchSVDD(extractor, **{'dims': (16, 8), **options})
    for one, two in ((svdd, other), (other, svdd)):
        with pytest.raises(ValueError, match='same dims and kernel'):
            one.load_state_dict(two.state_dict(), strict=False)


def test_a_shared_extractor_is_not_saved_twice(svdd, extractor):
    train(svdd, 3)
    svdd.fit([batch(*images(8, 5))])
    other = PatchSVDD(dims=(16, 8))
    assert other.projection is None
    other.share_extractor(extractor)
    assert not any(k.startswith('extractor') for k in other.state_dict())
    missing = other.load_state_dict(svdd.state_dict(), strict=False)
    assert not missing.missing_keys
    assert torch.equal(
        other.detect(images(2)).distances, svdd.detect(images(2)).distances
    )


def test_mixed_precision_changes_little(svdd):
    train(svdd, 3)
    wanted = svdd.patch_distances(images())
    with torch.autocast('cpu', torch.bfloat16):
        found = svdd.patch_distances(images())
        loss = svdd.loss(images())['loss_svdd']
    assert found.dtype == loss.dtype == torch.float32
    assert torch.allclose(found, wanted, atol=0.1)


def test_it_is_built_from_a_config():
    cfg = dict(
        type='mmocc.PatchSVDD',
        extractor=dict(type='mmocc.PatchLatentExtractor', mae=mae_config()),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(copy.deepcopy(cfg))
        with pytest.raises(ValueError, match='nu'):
            MODELS.build({**copy.deepcopy(cfg), 'nu': 1})
        with pytest.raises(ValueError, match='objective'):
            MODELS.build({**cfg, 'objective': 'two-class'})
    layers = [m for m in model.projection if isinstance(m, torch.nn.Linear)]
    assert [layer.out_features for layer in layers] == [256, 128]
    assert all(layer.bias is None for layer in layers)


def test_a_checkpoint_of_another_slope_is_refused(svdd, extractor):
    other = PatchSVDD(extractor, dims=(16, 8), slope=0.1)
    with pytest.raises(ValueError, match=r'slope=0\.5, this one has 0\.1'):
        other.load_state_dict(svdd.state_dict())
