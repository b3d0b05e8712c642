import math

import pytest
import torch
from tiny_mae import PATCHES, build_mae, images

from mmocc.models.ofer import MAEErrorDetector, PatchLatentExtractor
from mmocc.models.ofer.patch_detector import (
    judged_by_halves,
    visible_groups,
)


@pytest.fixture(scope='module')
def extractor():
    return PatchLatentExtractor(build_mae())


def test_each_patch_is_visible_once_in_a_round():
    masks = visible_groups(PATCHES, groups=3, rounds=2)
    assert masks.shape == (6, PATCHES)
    for part in masks.split(3):
        assert ((~part).sum(dim=0) == 1).all()
    assert torch.equal(masks, visible_groups(PATCHES, 3, 2))


def test_the_distance_is_the_mean_error_where_the_patch_is_hidden(extractor):
    detector = MAEErrorDetector(extractor, groups=4)
    first = images(4)
    distances = detector.patch_distances(first)
    assert distances.shape == (4, PATCHES)
    assert distances.dtype == torch.float32
    errors = []
    for mask in visible_groups(PATCHES, 4, 1):
        if mask[5]:
            coarse = extractor(first, mask.expand(4, -1)).coarse
            # patch 5 is row 1, column 1
            errors.append(
                (coarse - first)[:, :, 8:16, 8:16].abs().mean((1, 2, 3))
            )
    assert len(errors) == 3
    wanted = torch.stack(errors).mean(0)
    assert torch.allclose(distances[:, 5], wanted, atol=1e-5)

    anomalous = first.clone()
    anomalous[:, :, 16:24, 8:16] += 20
    distances = detector.patch_distances(anomalous)
    assert (distances.argmax(dim=1) == 9).all()


def test_its_radius_is_fitted_or_given(extractor):
    detector = MAEErrorDetector(extractor, nu=0.25, data_preprocessor={})
    first = images(30)
    with pytest.raises(ValueError, match='no radius'):
        detector.detect(first)
    fitted = detector.fit([dict(inputs=list(first))])
    assert fitted.patches == 30 * PATCHES
    assert abs(fitted.false_alarms - 0.25) < 0.05
    assert abs(detector.detect(first).mask.float().mean() - 0.25) < 0.01
    given = MAEErrorDetector(extractor, radius=1e3)
    assert not given.detect(first).mask.any()


def test_it_has_nothing_to_train(extractor):
    detector = MAEErrorDetector(extractor)
    with pytest.raises(RuntimeError, match='nothing to train'):
        detector(images(), mode='loss')
    with pytest.raises(ValueError, match='groups=1'):
        MAEErrorDetector(extractor, groups=1)


def test_false_alarms_are_counted_on_the_other_half():
    low, high = torch.arange(100.0), torch.arange(100.0) + 50
    # 90 % of low are below 89.1, of high below 139.1
    assert judged_by_halves([low, high], 0.1) == (60 + 0) / 200
    assert math.isnan(judged_by_halves([low], 0.1))
    assert math.isnan(judged_by_halves([low, low[:0]], 0.1))
