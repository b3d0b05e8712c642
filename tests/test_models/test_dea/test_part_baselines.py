"""Baselines: by value against scikit-learn and the definitions."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.registry import MODELS, DefaultScope

from mmocc.models.dea.part_baseline import smooth_maps
from mmocc.models.dea.patchcore import greedy_coreset
from mmocc.models.patch_features import as_rows, patch_grid

SIDE = 32
TRUNK = dict(
    type='mmdet.ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(0, 1),
    init_cfg=dict(type='Kaiming', layer='Conv2d'),
)
KINDS = {
    'mean': dict(type='mmocc.PCAImage', components=0, side=16),
    'pca': dict(type='mmocc.PCAImage', components=4, side=16),
    'padim': dict(type='mmocc.PaDiM', backbone=TRUNK, channels=10, sigma=1.0),
    'patchcore': dict(
        type='mmocc.PatchCore',
        backbone=TRUNK,
        bank_size=60,
        candidates=None,
        neighbours=3,
        sigma=0.0,
    ),
}


def build(kind, **options):
    register_all_modules(init_default_scope=False)
    torch.manual_seed(0)
    cfg = copy.deepcopy(KINDS[kind]) | options
    cfg['data_preprocessor'] = dict(
        type='mmdet.DetDataPreprocessor', mean=[128.0] * 3, std=[64.0] * 3
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg)
        model.init_weights()
    return model


def images(count, seed=0):
    """Return smooth images of one thing, a little different each."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, 8, 8, generator=generator)
    thing = torch.zeros(1, 3, 8, 8)
    thing[..., 2:6, 3:7] = 3
    small = 40 * (noise + thing)
    large = F.interpolate(small, (SIDE, SIDE), mode='bilinear')
    return large.round().clamp(0, 255).byte()


def batch(pictures):
    meta = dict(ori_shape=(40, 64), img_shape=(SIDE, SIDE))
    return dict(
        inputs=list(pictures),
        data_samples=[DetDataSample(metainfo=meta) for _ in pictures],
    )


def look(model, pictures, at_once=5):
    """Show normal images to a model, as an epoch does."""
    model.train()
    for part in pictures.split(at_once):
        data = model.data_preprocessor(batch(part), True)
        losses = model(**data, mode='loss')
        total, _ = model.parse_losses(losses)
        total.backward()
        assert total == 0


def fitted(kind, **options):
    model = build(kind, **options)
    look(model, images(20))
    assert model.fit_normal([batch(images(8, seed=1))]) == 8
    return model.eval()


def inputs_of(model, pictures):
    return model.data_preprocessor(batch(pictures), False)['inputs']


def test_redrawing_is_scikit_learns_pca():
    model, new = fitted('pca'), images(6, seed=2)

    def rows(pictures):
        inputs = inputs_of(model, pictures)
        return F.avg_pool2d(inputs, 2).flatten(1).double().numpy()

    pca = PCA(4, svd_solver='full').fit(rows(images(20)))
    rest = rows(new) - pca.inverse_transform(pca.transform(rows(new)))
    with torch.no_grad():
        scores, maps = model.judge(inputs_of(model, new))
    expected = np.sqrt((rest**2).mean(1))
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    away = np.abs(rest).reshape(6, 3, 16, 16).mean(1)
    np.testing.assert_allclose(maps, away, atol=1e-4)
    mean = fitted('mean')
    with torch.no_grad():
        scores, _ = mean.judge(inputs_of(mean, new))
    away = rows(new) - rows(images(20)).mean(0)
    np.testing.assert_allclose(scores, np.sqrt((away**2).mean(1)), rtol=1e-4)


def test_padim_is_scikit_learns_covariance():
    model, new = fitted('padim'), images(5, seed=2)
    with torch.no_grad():
        grids = [
            patch_grid(model.backbone(inputs_of(model, part)), kernel=1)
            for part in (images(20), new)
        ]
        scores, maps = model.judge(inputs_of(model, new))
    draw = torch.Generator().manual_seed(0)
    chosen = torch.randperm(24, generator=draw)[:10].sort().values
    known, rows = (as_rows(g[:, chosen]).double().numpy() for g in grids)
    distances = np.zeros(rows.shape[:2])
    for place in range(rows.shape[1]):
        fit = EmpiricalCovariance().fit(known[:, place])
        cov = fit.covariance_ * 20 / 19 + 0.01 * np.eye(10)
        away = rows[:, place] - fit.location_
        inverse = np.linalg.inv(cov)
        squared = np.einsum('nd,de,ne->n', away, inverse, away)
        distances[:, place] = np.sqrt(squared)
    own = torch.tensor(distances).float().view(5, 8, 8)
    expected = smooth_maps(own, (SIDE, SIDE), 1.0)
    torch.testing.assert_close(maps, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        scores, expected.amax((1, 2)), rtol=1e-3, atol=1e-3
    )


def test_patchcore_is_scikit_learns_nearest_neighbours():
    model, new = fitted('patchcore'), images(5, seed=2)
    with torch.no_grad():
        grid = patch_grid(model.backbone(inputs_of(model, new)), kernel=3)
        scores, maps = model.judge(inputs_of(model, new))
    rows = as_rows(grid).double().numpy()
    bank = model.bank.double().numpy()
    near = NearestNeighbors(n_neighbors=3).fit(bank)
    for image in range(5):
        distances, members = near.kneighbors(rows[image], 1)
        small = torch.tensor(distances).float().view(1, 8, 8)
        expected = smooth_maps(small, (SIDE, SIDE), 0.0)[0]
        torch.testing.assert_close(maps[image], expected, atol=1e-3, rtol=1e-3)
        place = distances[:, 0].argmax()
        nearest = members[place]
        around = near.kneighbors(bank[nearest], 3)[1][0]
        away = np.exp(
            np.linalg.norm(rows[image, place] - bank[around], axis=1)
        )
        share = np.exp(distances[place, 0]) / away.sum()
        value = (1 - share) * distances[place, 0]
        assert float(scores[image]) == pytest.approx(value, rel=1e-3)


def test_the_coreset_is_greedy_by_definition():
    rows = torch.randn(80, 5, generator=torch.Generator().manual_seed(0))
    table = rows.numpy()
    chosen = [7]
    while len(chosen) < 20:
        away = np.linalg.norm(table[:, None] - table[chosen], axis=2).min(1)
        chosen.append(int(away.argmax()))
    assert greedy_coreset(rows, 20, first=7).tolist() == chosen
    same = greedy_coreset(torch.ones(4, 2), 9)
    assert sorted(same.tolist()) == [0, 1, 2, 3]


def test_blur_is_scipys_inside():
    maps = torch.rand(2, 40, 40, generator=torch.Generator().manual_seed(0))
    own = smooth_maps(maps, (40, 40), 2.0)
    for one, other in zip(maps, own, strict=True):
        # At the border scipy repeats the last pixel, torchvision does not.
        expected = gaussian_filter(one.numpy(), 2.0, mode='mirror')
        np.testing.assert_allclose(other, expected, atol=1e-4)
    larger = smooth_maps(maps, (80, 80), 0.0)
    expected = F.interpolate(maps[None], (80, 80), mode='bilinear')[0]
    torch.testing.assert_close(larger, expected)


@pytest.mark.parametrize('kind', KINDS)
def test_a_defect_is_found_and_a_checkpoint_holds_all(kind):
    model, new = fitted(kind), images(4, seed=2)
    new[3, :, 12:18, 14:20] = 255 - new[3, :, 12:18, 14:20]
    samples = model.test_step(batch(new))
    fields = [sample.pred_instances for sample in samples]
    scores = torch.cat([one.anomaly_scores for one in fields])
    assert scores.argmax() == 3
    assert fields[3].is_anomaly.tolist() == [True]
    limit = model.normal_scores.quantile(0.95)
    for one, score in zip(fields, scores, strict=True):
        assert one.bboxes.tolist() == [[0, 0, 64, 40]]
        assert one.is_anomaly.item() == (score > limit).item()
        assert one.errors.shape[1] == one.errors.shape[2]
    again = build(kind)
    again.load_state_dict(model.state_dict())
    own = torch.cat(
        [s.pred_instances.anomaly_scores for s in again.test_step(batch(new))]
    )
    torch.testing.assert_close(own, scores)
    if kind in ('padim', 'patchcore'):
        return  # a random trunk does not tell where
    heat = fields[3].errors[0]
    heat = F.interpolate(heat[None, None], (SIDE, SIDE), mode='bilinear')
    inside = heat[0, 0, 12:18, 14:20].mean()
    assert inside > 1.3 * heat.mean()


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match='false_alarms must be in'):
        build('mean', false_alarms=1.0)
    with pytest.raises(ValueError, match='components must be 0 or more'):
        build('pca', components=-1)
    model = build('pca', components=30)
    with pytest.raises(RuntimeError, match='PCAImage has seen no normal'):
        model.fit_normal([])
    look(model, images(20))
    model.fit_normal([batch(images(3))])
    assert model.axes.shape == (19, 768)
    with pytest.raises(RuntimeError, match='PatchCore has learnt nothing'):
        build('patchcore').eval().test_step(batch(images(1)))
