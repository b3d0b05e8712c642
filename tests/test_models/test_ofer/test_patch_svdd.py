"""The detector: training, fitting, checkpoints, several processes."""

import copy

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from tiny_mae import PATCHES, SIZE, build_mae, images, mae_config
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.models.ofer import PatchLatentExtractor, PatchSVDD
from mmocc.models.ofer.svdd import one_class_loss, push_from_zero
from mmocc.registry import MODELS


@pytest.fixture(scope='module')
def extractor():
    return PatchLatentExtractor(build_mae())


@pytest.fixture
def svdd(extractor):
    return build(extractor)


def build(extractor, **options):
    torch.manual_seed(0)
    options = dict(dims=(16, 8), data_preprocessor={}) | options
    return PatchSVDD(extractor, **options)


def pasted(coverage):
    sample = DataSample()
    sample.set_metainfo(dict(patch_coverage=coverage, img_path='a.png'))
    return sample


def batch(inputs):
    return dict(
        inputs=list(inputs), data_samples=[DataSample() for _ in inputs]
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


def test_occluded_patches_take_no_part(svdd):
    coverage = np.zeros((4, 4), np.float32)
    coverage[1, 2] = 0.1
    first = images(1)
    svdd.loss(first)
    clean = torch.ones(PATCHES, dtype=torch.bool)
    clean[6] = False
    wanted = svdd.patch_distances(first)[0, clean].square().mean()
    loss = svdd.loss(first, [pasted(coverage)])['loss_svdd']
    assert torch.allclose(loss, wanted)
    none = svdd.loss(first, [pasted(np.ones((4, 4)))])['loss_svdd']
    none.backward()
    assert none == 0
    assert all((p.grad == 0).all() for p in svdd.projection.parameters())


def test_a_first_batch_must_have_clean_patches_on_the_grid(svdd):
    with pytest.raises(ValueError, match='no clean patch'):
        svdd.loss(images(1), [pasted(np.ones((4, 4)))])
    with pytest.raises(ValueError, match=r'a.png.*\(2, 2\).*\(4, 4\)'):
        svdd.loss(images(1), [pasted(np.zeros((2, 2)))])


def test_the_radius_leaves_a_share_nu_of_clean_patches_outside(extractor):
    svdd = build(extractor, nu=0.3)
    train(svdd, 3)
    first = images(40, 5)
    with pytest.raises(ValueError, match='FitRadiusHook'):
        svdd.detect(first)
    more = batch(torch.cat([first[25:], images(2)]))
    for sample in more['data_samples'][-2:]:  # these do not count
        sample.set_metainfo(dict(patch_coverage=np.ones((4, 4))))
    assert svdd.fit([batch(first[:25]), more]).patches == 40 * PATCHES
    assert svdd.training
    detection = svdd.detect(first)
    assert abs(detection.mask.float().mean() - 0.3) < 0.005
    assert torch.equal(detection.mask, detection.distances > svdd.radius)
    assert detection.grid == (4, 4)


def test_the_soft_boundary_follows_the_batches_quantile(extractor):
    svdd = build(extractor, objective='soft-boundary', warmup_iters=2)
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
    svdd.fit([batch(images(8, 5))])
    first = images(3, 6)
    samples = svdd(first, [DataSample() for _ in range(3)], mode='predict')
    detection = svdd.detect(first)
    for i, sample in enumerate(samples):
        assert torch.equal(sample.pred_patch_dist, detection.distances[i])
        assert torch.equal(sample.pred_patch_mask, detection.mask[i])
        assert sample.patch_grid == (4, 4)
        pixels = sample.pred_occlusion_mask
        assert pixels.shape == (SIZE, SIZE)
        assert torch.equal(pixels[::8, ::8].flatten(), detection.mask[i])
    assert len(svdd(first, mode='predict')) == 3
    assert svdd(first).shape == (3, PATCHES)
    with pytest.raises(ValueError, match='mode'):
        svdd(first, mode='other')


def test_a_kernel_sphere_on_top_finds_and_survives(extractor):
    options = dict(kernel=dict(max_patches=100))
    svdd = build(extractor, **options)
    train(svdd, 20)
    svdd.fit([batch(images(20, 5)), batch(images(20, 6))])
    assert 0 < len(svdd.kernel.weight) <= 100
    first = images(8, 9)
    assert svdd.detect(first).mask.float().mean() < 0.25
    assert (svdd.patch_distances(first) <= 2).all()
    other = build(extractor, **options)
    other.load_state_dict(svdd.state_dict())
    assert torch.equal(
        other.detect(first).distances, svdd.detect(first).distances
    )
    assert options['kernel'] == dict(max_patches=100)  # not emptied


@pytest.mark.parametrize(
    'options', [dict(dims=(16, 4)), dict(kernel={}), dict(whiten=True)]
)
def test_a_checkpoint_with_other_options_is_refused(svdd, extractor, options):
    other = build(extractor, **options)
    for one, two in ((svdd, other), (other, svdd)):
        with pytest.raises(ValueError, match='same dims and kernel'):
            one.load_state_dict(two.state_dict(), strict=False)
    slope = build(extractor, slope=0.1)
    with pytest.raises(ValueError, match=r'slope=0\.5, this one has 0\.1'):
        slope.load_state_dict(svdd.state_dict())


@pytest.mark.parametrize('whiten', [False, True])
def test_a_checkpoint_holds_all_but_a_shared_extractor(extractor, whiten):
    svdd = build(extractor, whiten=whiten)
    if whiten:
        svdd.fit([batch(images(20))])
    train(svdd, 3)
    svdd.fit([batch(images(8, 5))])
    other = PatchSVDD(dims=(16, 8), whiten=whiten)
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


def test_a_detector_is_trained_on_whitened_latents(extractor):
    svdd = build(extractor, whiten=True)
    with pytest.raises(RuntimeError, match='at_start=True'):
        svdd.loss(images(2))
    pictures = torch.cat([images(40), images(40, 1)])
    svdd.fit([batch(pictures[:40]), batch(pictures[40:])])
    before = {k: v.clone() for k, v in svdd.whitening.state_dict().items()}
    centre = svdd.centre.clone()
    mean = svdd.extractor.encode(pictures).mean(dim=0)
    assert torch.allclose(before['mean'], mean, atol=1e-5)
    losses = train(svdd, 30)
    assert svdd.loss(images(8))['loss_svdd'] < 0.7 * losses[0]
    assert svdd.fit([batch(images(40, 5))]).patches == 40 * PATCHES
    assert torch.equal(svdd.centre, centre)
    for name, value in svdd.whitening.state_dict().items():
        assert torch.equal(value, before[name])
    share = svdd.detect(images(40, 5)).mask.float().mean()
    assert abs(share - svdd.nu) < 0.005


# -- two processes -----------------------------------------------------------


def work(rank, folder, options):
    """Train one step and fit, on 4 pictures or on the other 2."""
    join(rank, folder)
    model = build(PatchLatentExtractor(build_mae()), **options)
    mine = images(6, 1)[:4] if rank == 0 else images(6, 1)[4:]
    samples = [DataSample() for _ in mine]
    # not as many clean patches as the other process has
    samples[0].set_metainfo(dict(patch_coverage=np.eye(4)))
    data = dict(inputs=list(mine), data_samples=samples)
    if options.get('whiten'):
        model.fit([data])
    model.loss(mine, samples)
    state = dict(soft=model.radius.clone())
    model.fit([data])
    torch.save(state | model.state_dict(), folder / f'{rank}.pth')
    leave()


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(objective='soft-boundary'),
        dict(kernel=dict()),
        dict(whiten=True),
    ],
    ids=['one-class', 'soft-boundary', 'kernel', 'whiten'],
)
def test_two_processes_fit_to_all_patches(tmp_path, extractor, options):
    multiprocessing.start_processes(
        work, (tmp_path, options), nprocs=2, start_method='fork'
    )
    one, two = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    soft = one.pop('soft')
    assert (soft > 0) == ('objective' in options or 'whiten' in options)
    model = build(extractor, **options)
    clean = torch.ones(6, PATCHES, dtype=torch.bool)
    clean[0, ::5] = clean[4, ::5] = False  # the diagonal
    latents = extractor.encode(images(6, 1))
    if options.get('whiten'):
        model.whitening.fit([(latents, clean)])
        for name, value in model.whitening.state_dict().items():
            found = one[f'whitening.{name}']
            assert torch.allclose(found, value, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        wanted = push_from_zero(model.project(latents)[clean].mean(dim=0))
    assert torch.allclose(one['centre'], wanted, rtol=1e-3, atol=1e-3)
    model.load_state_dict(one)
    outside = model.detect(images(6, 1)).mask[clean].sum()
    assert abs(int(outside) - 0.1 * clean.sum()) <= 1
