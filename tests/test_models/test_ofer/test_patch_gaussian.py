"""The detector by a frozen network, and its cross-fitted radius."""

import numpy as np
import pytest
import tiny_ofer
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from torch import nn

from mmocc.models.ofer import PatchGaussian
from mmocc.models.ofer.patch_gaussian import fold_of, smoothed


class Levels(nn.Module):
    """Two maps: the pixels, and their mean over 2 x 2."""

    def forward(self, x):
        """Return (N, 3, H, W) and (N, 3, H / 2, W / 2)."""
        return x, nn.functional.avg_pool2d(x, 2)


def build(**options):
    options = (
        dict(
            grid=(4, 4),
            size=None,
            dims=None,
            mean=(0.0,) * 3,
            std=(1.0,) * 3,
            data_preprocessor=dict(to_rgb=True),
        )
        | options
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return PatchGaussian(Levels(), **options)


def faces(number, seed=0):
    """Return uint8 faces (number, 3, 32, 32): another colour at each patch."""
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(9).integers(60, 190, (3, 4, 4))
    noise = rng.normal(0, 6, (number, 3, 4, 4))
    small = (base + noise).round().clip(0, 255)
    return torch.from_numpy(small.repeat(8, 2).repeat(8, 3)).byte()


def batches(images, size=8, subject=None):
    for start in range(0, len(images), size):
        part = images[start : start + size]
        samples = [DataSample() for _ in part]
        for place, sample in enumerate(samples):
            name = f'{start + place}.png'
            sample.set_metainfo(dict(img_path=name, subject=subject))
        yield dict(inputs=list(part), data_samples=samples)


def normal(model, images):
    return model.data_preprocessor(dict(inputs=list(images)), False)['inputs']


def test_distances_are_those_of_mahalanobis():
    model = build(ridge=1e-9)
    images = faces(60)
    model.fit(list(batches(images)))
    rows = model.features(normal(model, images)).double()
    assert rows.shape == (60, 16, 6)
    # in RGB; each patch has one colour, so that both levels are equal
    assert torch.allclose(rows[..., :3], rows[..., 3:], atol=1e-3)
    assert rows[3, 5].tolist()[:3] == images[3, :, 8, 8].flip(0).tolist()
    model = build(dims=3, seed=2)
    model.chosen.copy_(torch.arange(3))
    model.fit(list(batches(images)))
    found = model.patch_distances(normal(model, images))
    assert found.shape == (60, 16)
    for place in (0, 7):
        x = rows[:, place, :3].numpy()
        cov = np.cov(x.T)
        shrink = 0.01 * float(
            np.mean([np.var(rows[:, i, :3].numpy(), 0) for i in range(16)])
        )
        inverse = np.linalg.inv(cov + (shrink + 1e-9) * np.eye(3))
        away = x - x.mean(0)
        wanted = np.sqrt(np.einsum('nd,de,ne->n', away, inverse, away))
        assert np.allclose(found[:, place], wanted, rtol=1e-3)


def test_what_is_pasted_is_flagged_and_little_else():
    model = build(nu=0.02)
    fitted = model.fit(list(batches(faces(400))))
    assert fitted.patches == 400 * 16
    assert abs(fitted.false_alarms - 0.02) < 0.01
    other = faces(50, seed=1)
    clean = model.detect(normal(model, other))
    assert clean.grid == (4, 4)
    assert clean.mask.float().mean() < 0.04
    other[:, :, 8:16, 16:24] = 255
    mask = model.detect(normal(model, other)).mask
    assert mask[:, 6].all()
    assert mask.float().mean() < 0.04 + 1 / 16


def test_a_cross_fitted_radius_holds_for_other_faces():
    """With few faces, those of the statistics are nearer than others."""
    kept = dict(nu=0.1, dims=6, ridge=1e-3)
    cross = build(**kept)
    images = faces(20)
    cross.fit(list(batches(images)))
    plain = build(**kept)
    plain.fit(list(batches(images)))
    super(PatchGaussian, plain).fit(list(batches(images)))  # on its own faces
    other = normal(cross, faces(300, seed=1))
    flagged = [m.detect(other).mask.float().mean() for m in (cross, plain)]
    assert plain.radius < cross.radius
    assert abs(flagged[0] - 0.1) < 0.04 < flagged[1] - 0.1


def test_all_faces_of_a_person_are_in_one_fold():
    one, two = DataSample(), DataSample()
    one.set_metainfo(dict(subject='Ada', img_path='1.png'))
    two.set_metainfo(dict(subject='Ada', img_path='2.png'))
    assert fold_of(one, 5) == fold_of(two, 5)
    names = [DataSample() for _ in range(50)]
    for place, sample in enumerate(names):
        sample.set_metainfo(dict(img_path=f'{place}.png'))
    assert {fold_of(sample, 5) for sample in names} == set(range(5))
    alone = build()  # one person: no other to judge by
    assert alone.fit(list(batches(faces(9), subject='Ada'))).patches == 144


def test_occluded_patches_do_not_count():
    images = faces(60)
    wanted, found = build(), build()
    wanted.fit(list(batches(images)))
    images[::2, :, :8, :8] = 255
    covered = list(batches(images))
    for part in covered:
        for sample in part['data_samples'][::2]:
            coverage = torch.zeros(4, 4)
            coverage[0, 0] = 0.1
            sample.set_metainfo(dict(patch_coverage=coverage))
    fitted = found.fit(covered)
    assert fitted.patches == 60 * 16 - 30
    assert torch.equal(found.centre[1:], wanted.centre[1:])
    assert (found.centre[0] - wanted.centre[0]).abs().max() < 5


def test_distances_are_smoothed_by_a_gaussian():
    distances = torch.zeros(1, 12)
    distances[0, 5] = 1  # row 1, column 1 of 3 x 4
    near = smoothed(distances, (3, 4), 0.5).view(3, 4)
    side = np.exp(-2.0)  # a patch away
    rows = side / (1 + side), 1 / (1 + 2 * side)
    columns = 1 / (1 + 2 * side + np.exp(-8.0))
    assert near[1, 1] == pytest.approx(rows[1] * columns, rel=1e-4)
    assert near[0, 1] == pytest.approx(rows[0] * columns, rel=1e-2)
    same = smoothed(torch.full((2, 12), 3.0), (3, 4), 1.0)
    assert torch.allclose(same, torch.tensor(3.0))
    assert smoothed(distances, (3, 4), 0.0) is distances


def test_a_checkpoint_holds_all_and_another_one_is_refused():
    model = build(dims=4, seed=3)
    model.fit(list(batches(faces(30))))
    copy = build(dims=4, seed=0)
    copy.load_state_dict(model.state_dict())
    images = normal(model, faces(3, seed=1))
    assert torch.equal(copy.detect(images).mask, model.detect(images).mask)
    with pytest.raises(ValueError, match='16 patches and 4 features'):
        build(dims=5).load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match='PatchGaussian with smooth=0'):
        build(dims=4, smooth=0.5).load_state_dict(model.state_dict())


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match='7 of 6 features'):
        build(dims=7)
    with pytest.raises(ValueError, match='folds=1'):
        build(folds=1)
    model = build()
    with pytest.raises(RuntimeError, match='not fitted'):
        model.patch_distances(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match='30 x 32 pixels'):
        model.grid(30, 32)
    with pytest.raises(RuntimeError, match='nothing to train'):
        model(torch.zeros(1, 3, 32, 32), mode='loss')


def test_it_stands_where_the_svdd_stands():
    cfg = dict(
        type='mmocc.PatchGaussian',
        backbone=tiny_ofer.BACKBONE,
        grid=(4, 4),
        size=None,
        dims=8,
    )
    model = tiny_ofer.build(detector=None, reconstructor=None)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        detector = model.stages._build(cfg)
    detector.data_preprocessor = model.data_preprocessor
    model.stages.detector = detector
    detector.fit(list(batches(tiny_ofer.photos(30))))
    names = ' '.join(model.state_dict())
    assert 'stages.detector.extractor' not in names
    recon = model.stages._build(tiny_ofer.MAE_RECON)
    model.stages.reconstructor = recon
    inputs = tiny_ofer.normalised(model, tiny_ofer.photos(2, seed=3))
    for sample in model.eval()(inputs, mode='predict'):
        assert sample.pred_patch_mask.shape == (16,)
        assert sample.recon.shape == (3, 32, 32)
