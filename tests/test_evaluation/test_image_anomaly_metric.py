"""Images and pixels of parts, by category and kind; means never pooled."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from mmocc.evaluation.anomaly_values import (
    add_counts,
    aupimo,
    aupro,
    count_pixels,
    pixel_auroc,
    pixel_f1_max,
    score_keys,
)
from mmocc.evaluation.image_anomaly_metric import ImageAnomalyMetric, f1_max

SIDE = 20


def sample(category, kind, score, alarm=None, marked=True, spot=1.0):
    """Return a predicted sample whose defect is seen with this strength."""
    truth = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    errors = torch.zeros(1, SIDE, SIDE)
    if kind != 'good':
        truth[:, 5:10, 5:10] = 1
        errors[:, 5:10, 5:10] = spot
    objects = dict(
        bboxes=torch.tensor([[0.0, 0, SIDE, SIDE]]),
        scores=torch.ones(1),
        errors=errors,
        anomaly_scores=torch.tensor([float(score)]),
    )
    if alarm is not None:
        objects['is_anomaly'] = torch.tensor([alarm])
    return dict(
        img_path='x.png',
        category=category,
        kind=kind,
        marked=marked,
        pred_instances=objects,
        gt_sem_seg=dict(sem_seg=truth),
    )


SAMPLES = [
    sample('nut', 'good', 1, False),
    sample('nut', 'good', 3, True),
    sample('nut', 'dent', 2, False),
    sample('nut', 'rust', 4, True),
    sample('cap', 'good', 10, False),
    sample('cap', 'cut', 20, True),
    sample('cap', 'cut', 30, True),
]


def evaluate(samples=SAMPLES, **options):
    metric = ImageAnomalyMetric(**options)
    metric.process({}, samples)
    values = metric.evaluate(len(samples))
    return {k.removeprefix('parts/'): v for k, v in values.items()}


def test_values_by_hand():
    values = evaluate()
    # of the pairs (1, 2) (1, 4) (3, 2) (3, 4) three are in order
    assert values['nut/image_auroc'] == pytest.approx(3 / 4)
    assert values['nut/dent/image_auroc'] == pytest.approx(1 / 2)
    assert values['nut/rust/image_auroc'] == 1
    assert values['cap/image_auroc'] == 1
    # The mean of the categories; pooled, it would be 1 - 2 / 12.
    assert values['mean/image_auroc'] == pytest.approx(7 / 8)
    # from 2 on: two hits of three; from 4 on: one hit of one
    assert values['nut/image_f1_max'] == pytest.approx(4 / 5)
    assert values['nut/false_alarms'] == 1 / 2
    assert values['nut/found'] == 1 / 2
    assert values['cap/found'] == 1
    assert values['cap/cut/images'] == 2
    for name in ('pixel_auroc', 'aupro', 'pixel_f1_max'):
        assert values[f'mean/{name}'] == pytest.approx(1)


def test_images_without_a_mask_count_as_images_only():
    blind = sample('nut', 'dent', 2, spot=0.0, marked=False)
    values = evaluate([*SAMPLES[:2], blind, SAMPLES[3]])
    assert values['nut/pixel_auroc'] == pytest.approx(1)
    assert 'nut/dent/pixel_auroc' not in values
    assert 'nut/dent/image_auroc' in values
    assert 'nut/false_alarms' not in values  # one sample has no verdict
    assert not any('pixel' in name for name in evaluate(pixel=False))


def test_images_without_a_detection_score_below_all():
    weak = sample('nut', 'rust', 9)
    weak['pred_instances']['scores'][:] = 0.1
    values = evaluate([*SAMPLES[:3], weak], image_confidence=0.3)
    assert values['nut/rust/image_auroc'] == 0


def test_what_is_missing_is_named():
    lacking = sample('nut', 'good', 1)
    del lacking['kind']
    with pytest.raises(ValueError, match=r"x\.png has no 'kind'"):
        evaluate([lacking])
    del lacking['pred_instances']['anomaly_scores']
    with pytest.raises(ValueError, match="no 'anomaly_scores'"):
        evaluate([lacking])
    assert evaluate(SAMPLES[:1]) == {
        'nut/false_alarms': 0.0, 'mean/false_alarms': 0.0
    }  # fmt: skip


def test_f1_is_the_highest_of_all_thresholds():
    rng = np.random.default_rng(0)
    truth = rng.random(50) < 0.3
    scores = truth + rng.normal(0, 1, 50)
    limits = np.unique(scores)
    expected = max(f1_score(truth, scores >= limit) for limit in limits)
    assert f1_max(truth, scores) == pytest.approx(expected)
    truth, scores = truth.reshape(5, 10), scores.reshape(5, 10)
    counts = count_pixels(scores, truth)
    assert pixel_f1_max(counts) == pytest.approx(expected)


@pytest.mark.parametrize('scale', [1e-6, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize('shift', [0.0, -0.7])
def test_maps_of_any_range_are_counted_alike(scale, shift):
    rng = np.random.default_rng(0)
    maps, truths = [], []
    for _ in range(3):
        truth = np.zeros((40, 50), np.uint8)
        truth[5:12, 8:20] = truth[25:30, 30:44] = 1
        maps.append(0.4 * truth + rng.random(truth.shape) + shift)
        truths.append(truth)
    plain = add_counts(
        [count_pixels(m, t) for m, t in zip(maps, truths, strict=True)]
    )
    counts = add_counts(
        [count_pixels(scale * m, t) for m, t in zip(maps, truths, strict=True)]
    )
    expected = roc_auc_score(np.ravel(truths), np.ravel(maps))
    assert pixel_auroc(counts) == pytest.approx(expected, abs=1e-5)
    assert aupro(counts) == pytest.approx(aupro(plain), abs=1e-4)
    assert counts.regions == 6


def pimo_by_definition(normal, maps, truths, limits, points=4000):
    """Average, over log-spaced costs, what the lowest fair threshold finds."""
    levels = np.unique(np.concatenate([np.ravel(normal), np.ravel(maps)]))
    cost = np.array([np.mean([m >= t for m in normal]) for t in levels])
    edges = np.linspace(*np.log(limits), points + 1)
    values = np.zeros(len(maps))
    for z in np.exp((edges[1:] + edges[:-1]) / 2):
        fair = levels[cost <= z]
        limit = fair[0] if len(fair) else np.inf
        values += [
            (m[t] >= limit).mean() for m, t in zip(maps, truths, strict=True)
        ]
    return values / points


def test_aupimo_is_its_definition():
    rng = np.random.default_rng(0)
    normal = rng.random((3, 30, 40)).astype(np.float32)
    truths = np.zeros((4, 30, 40), bool)
    truths[:3, 5:15, 8:20] = truths[3, 2:6, 2:6] = True
    strength = np.array([0.1, 0.3, 1.5, 0.0])[:, None, None]
    maps = (rng.random(truths.shape) + strength * truths).astype(np.float32)
    counts = [count_pixels(one, one < 0) for one in normal]
    bad = [count_pixels(m, t) for m, t in zip(maps, truths, strict=True)]
    for limits in ((1e-3, 1e-1), (1e-5, 1e-4), (1e-4, 1.0)):
        own = aupimo(counts, bad, limits)
        expected = pimo_by_definition(normal, maps, truths, limits)
        np.testing.assert_allclose(own, expected, atol=2e-3)
    assert own[2] == pytest.approx(1)


def test_aupimo_by_hand():
    # Ten normal pixels: above 5, 4 and 3 are none, a tenth and two tenths.
    normal = np.array([[5, 4, 3, 3, 2, 2, 1, 1, 1, 1]], np.float32)
    truth = np.array([[1, 1, 1, 1, 0, 0, 0, 0, 0, 0]])
    scores = np.array([[6, 4.5, 3.5, 0, 9, 9, 9, 9, 9, 9]], np.float32)
    counts = [count_pixels(normal, 0 * truth)], [count_pixels(scores, truth)]
    # From 0.05 to 0.1 only 6 is found, then 4.5 too, and from 0.2 on 3.5.
    (value,) = aupimo(*counts, limits=(0.05, 0.4))
    assert value == pytest.approx((0.25 + 0.5 + 0.75) / 3)
    assert evaluate()['cap/aupimo'] == 1
    assert evaluate()['nut/dent/aupimo'] == 1
    assert 'cap/aupimo' not in evaluate(SAMPLES[5:])


def test_keys_have_the_order_of_scores():
    scores = np.array([-3e38, -1.0, -1e-40, -0.0, 0.0, 1e-40, 0.5, 1.0, 9e9])
    keys = score_keys(scores)
    assert (np.diff(keys) >= 0).all()
    assert keys[3] == keys[4] == 0
    close = score_keys(np.array([0.001, 0.001 * (1 + 2**-15)]))
    assert close[0] < close[1]
