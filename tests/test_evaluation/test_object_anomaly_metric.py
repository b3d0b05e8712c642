"""Anomalous objects: matching, values by hand, pixels, pasted maps."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image
from sklearn.metrics import auc, roc_auc_score

from mmocc.evaluation.anomaly_pages import (
    anomaly_truth,
    background_difference,
    paste_maps,
)
from mmocc.evaluation.anomaly_values import (
    add_counts,
    aupro,
    count_pixels,
    object_values,
    pixel_auroc,
    pixel_values,
)
from mmocc.evaluation.object_anomaly_metric import ObjectAnomalyMetric
from mmocc.utils.object_matching import match_objects


def squares(*lefts):
    """Return boxes 10 pixels wide that begin here."""
    return torch.tensor([[x, 0.0, x + 10, 10.0] for x in lefts]).view(-1, 4)


def test_an_object_gets_its_most_confident_detection():
    # 1 px off has IoU 9 / 11, 4 px 6 / 14 (too little), 30 is elsewhere
    boxes = squares(1, 0, 2, 54, 30)
    confidence = torch.tensor([0.5, 0.2, 0.7, 0.9, 0.8])
    assert match_objects(boxes, confidence, squares(0, 50)).tolist() == [2, -1]
    # a detection has one object: IoU 8 / 12 and 9 / 11
    boxes, confidence, truth = squares(4), torch.tensor([0.9]), squares(6, 3)
    assert match_objects(boxes, confidence, truth, 0.3).tolist() == [-1, 0]
    for n, m in ((0, 2), (2, 0), (0, 0)):
        boxes, truth = squares(*range(n)), squares(*range(m))
        match = match_objects(boxes, torch.ones(n), truth)
        assert match.tolist() == [-1] * m


def test_values_of_objects_by_hand():
    anomalous = np.array([0, 0, 0, 0, 1, 1, 1], bool)
    scores = np.array([0.1, 0.2, 0.6, np.nan, 0.5, 0.9, np.nan])
    values = object_values(scores, anomalous, false_alarms=0.5)
    # 0.5 is above 2 of 3, 0.9 above 3 of 3
    assert values['auroc'] == pytest.approx(5 / 6)
    # of 4 normal: 3, 4, and the missed one half of the missed one
    assert values['auroc_all'] == pytest.approx((3 + 4 + 0.5) / 12)
    # by falling score: anomalous, normal, anomalous, ...: (1/1 + 2/3) / 2
    assert values['ap'] == pytest.approx((1 + 2 / 3) / 2)
    # the missed ones come last together: 3 anomalous of 7
    assert values['ap_all'] == pytest.approx((1 + 2 / 3 + 3 / 7) / 3)
    # half of the normal ones exceed 0.2: two of three anomalous ones do
    assert values['recall'] == pytest.approx(2 / 3)
    nothing = object_values(scores[:2], np.zeros(2, bool), 0.05)
    missed = object_values(np.full(2, np.nan), np.ones(2, bool), 0.05)
    assert {*nothing.values(), *missed.values()} == {None}


def test_maps_are_pasted_where_their_boxes_are():
    page = np.zeros((20, 30), np.float32)
    maps = np.stack([np.full((8, 8), 0.5), np.full((8, 8), 0.9)])
    boxes = np.array([[2.0, 3, 12, 13], [10.0, 3, 20, 13]])
    maps = maps.astype(np.float32)
    for confidence, both in (([0.9, 0.1], 0.5), ([0.1, 0.9], 0.9)):
        out = paste_maps(page, maps, boxes, np.array(confidence))
        expected = page.copy()
        expected[3:13, 2:12] = 0.5
        expected[3:13, 10:20] = 0.9
        expected[3:13, 10:12] = both  # the more confident one is on top
        np.testing.assert_allclose(out, expected, atol=1e-6)
    assert not page.any()
    page, maps = np.zeros((40, 40), np.float32), np.ones((1, 8, 8), np.float32)
    for box in ([-9.0, -9, 5, 5], [35, 35, 60, 60], [50, 50, 60, 60],
                [3, 3, 3, 3]):  # fmt: skip
        out = paste_maps(page, maps, np.array([box]), np.ones(1))
        x1, y1, x2, y2 = np.clip(box, 0, 40).astype(int)
        assert out.sum() == (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize('side', [4, 16, 64])
def test_a_pasted_ramp_is_exact_to_a_part_of_a_pixel(side):
    ramp = (np.arange(side, dtype=np.float32) + 0.5) / side
    maps = np.tile(ramp, (1, side, 1))
    page = np.full((40, 40), -1, np.float32)
    out = paste_maps(page, maps, np.array([[5.3, 6, 25.3, 30]]), np.ones(1))
    row = out[10]
    inside = np.arange(5, 25)  # centres 5.5 to 24.5
    assert (row[:5] == -1).all()
    assert (row[25:] == -1).all()
    expected = (inside + 0.5 - 5.3) / 20
    atol = 0.5 / min(side, 20)  # the ramp ends half a cell from the border
    np.testing.assert_allclose(row[inside], expected, atol=atol)


def random_pixels(seed, regions=3):
    rng = np.random.default_rng(seed)
    truth = np.zeros((40, 50), np.uint8)
    for index in range(regions):
        truth[5 : 10 + 3 * index, 15 * index + 1 : 15 * index + 9] = 1
    scores = (0.3 * truth + rng.random(truth.shape)) / 1.3
    return scores.astype(np.float32), truth


def test_pixel_auroc_is_scikit_learns_to_a_bin():
    maps = [random_pixels(seed, 1 + seed) for seed in range(3)]
    first, second, third = (count_pixels(*pair) for pair in maps)
    counts = add_counts([first, second, third])
    scores, truth = np.stack(maps, axis=1).reshape(2, -1)
    expected = roc_auc_score(truth, scores)
    assert pixel_auroc(counts) == pytest.approx(expected, abs=1e-3)
    assert counts.regions == 1 + 2 + 3


def slow_aupro(scores, truth, limit=0.3):
    """Return AUPRO by each threshold, as the paper defines it."""
    from scipy.ndimage import label

    regions, number = label(truth, np.ones((3, 3)))
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(scores)[::-1]:
        above = scores >= threshold
        rates.append(above[truth == 0].mean())
        shares = [above[regions == r + 1].mean() for r in range(number)]
        overlaps.append(np.mean(shares))
    grid = np.linspace(0, limit, 10001)
    values = np.interp(grid, rates, overlaps)
    return auc(grid, values) / limit


def test_aupro_is_that_of_every_threshold_and_weighs_regions_alike():
    scores, truth = random_pixels(0)
    expected = pytest.approx(slow_aupro(scores, truth), abs=2e-3)
    assert aupro(count_pixels(scores, truth)) == expected
    truth = np.zeros((100, 100), np.uint8)
    truth[:50, :50] = 1
    truth[80:82, 80:82] = 1
    scores = np.zeros((100, 100), np.float32)
    scores[:50, :50] = 0.9  # the large one is above at once, the other never
    counts = count_pixels(scores, truth)
    # the small one's share rises with the false positives, all in one bin
    assert aupro(counts) == pytest.approx((1 + 0.15) / 2, abs=0.01)
    assert pixel_auroc(counts) > 0.99


def test_maps_that_do_not_fit_are_refused():
    truth = np.zeros((5, 5))
    with pytest.raises(ValueError, match=r'\(5, 6\) for a .* of \(5, 5\)'):
        count_pixels(np.zeros((5, 6)), truth)
    with pytest.raises(ValueError, match='not finite'):
        count_pixels(truth * np.nan, truth)
    counts = count_pixels(truth, truth)  # no region
    assert set(pixel_values(counts).values()) == {None}


def sample(rows, normal, anomalous, errors=0.0, size=(20, 100)):
    """Return a predicted sample; rows are (left, confidence, score)."""
    rows = torch.tensor(rows).float().view(-1, 3)
    pixels = torch.zeros(1, *size, dtype=torch.uint8)
    for left in anomalous:
        pixels[:, :10, left : left + 10] = 1

    def objects(lefts, label, anomaly):
        return dict(
            bboxes=squares(*lefts),
            labels=torch.full((len(lefts),), label),
            anomaly=torch.full((len(lefts),), anomaly),
        )

    return dict(
        pred_instances=dict(
            bboxes=squares(*rows[:, 0].tolist()),
            scores=rows[:, 1],
            score_pearson=rows[:, 2],
            score_confidence=1 - rows[:, 1],
            errors=rows[:, 2, None, None].expand(-1, 8, 8) * errors,
        ),
        gt_instances=objects(normal, 3, 0),
        ignored_instances=objects(anomalous, -1, 1),
        gt_sem_seg=dict(sem_seg=pixels),
    )


SAMPLES = [
    sample(
        [(0, 0.9, 0.1), (20, 0.8, 0.2), (40, 0.3, 0.9), (80, 0.1, 0.5)],
        normal=[0, 20],
        anomalous=[40],
        errors=1.0,
    ),
    # a normal object that is redrawn badly, an anomalous one that is missed
    sample([(0, 0.7, 0.6)], normal=[0], anomalous=[60], errors=1.0),
    sample([(0, 0.6, 0.3)], normal=[0, 40], anomalous=[], errors=1.0),
]


def evaluate(samples=SAMPLES, inputs=None, **options):
    metric = ObjectAnomalyMetric(**options)
    blank = torch.full((3, 20, 100), 255, dtype=torch.uint8)
    for number, one in enumerate(samples):
        image = blank if inputs is None else inputs[number]
        metric.process(dict(inputs=[image]), [one])
    return metric.evaluate(len(samples))


def test_only_sure_detections_count_for_their_image():
    limits = (0, 0.5, 1.1)
    every, sure, none = (evaluate(image_confidence=p) for p in limits)
    # only 0.1 and 0.2 are left of the first page, 0.6 of the second
    assert every['anomaly/pearson_image_auroc'] == 1
    assert sure['anomaly/pearson_image_auroc'] == pytest.approx(1 / 2)
    assert none['anomaly/pearson_image_auroc'] == pytest.approx(1 / 2)
    assert sure['anomaly/confidence_image_auroc'] == 0
    for name in every:  # objects are judged as before
        assert 'image' in name or sure[name] == every[name]


def test_metrics_of_three_pages_by_hand():
    values = evaluate()
    values = {k.removeprefix('anomaly/'): v for k, v in values.items()}
    assert values['detected_normal'] == pytest.approx(4 / 5)
    assert values['detected_anomaly'] == pytest.approx(1 / 2)
    assert values['unmatched'] == pytest.approx(1 / 3)
    # detected: normal 0.1 0.2 0.6 0.3, anomalous 0.9
    assert values['pearson_auroc'] == 1
    # and one of each missed: (5 + 0 * 4 + 0.5) / 10
    assert values['pearson_auroc_all'] == pytest.approx(5.5 / 10)
    assert values['pearson_recall'] == pytest.approx(1 / 2)
    # confidence: normal 0.1 0.2 0.3 0.4, anomalous 0.7
    assert values['confidence_auroc'] == 1
    # highest score of each page: 0.9 and 0.6 are anomalous pages', 0.3 is not
    assert values['pearson_image_auroc'] == 1
    # by confidence 0.9 (the unmatched one), 0.3, 0.4
    assert values['confidence_image_auroc'] == pytest.approx(1 / 2)
    alike = 1 - np.array([0.1, 0.2, 0.6, 0.3])
    assert values['pearson_normal'] == pytest.approx(alike.mean())
    assert values['pearson_normal_std'] == pytest.approx(alike.std())
    assert values['pearson_anomaly'] == pytest.approx(0.1)
    apart = (alike.mean() - 0.1) / alike.std()
    assert values['separation'] == pytest.approx(apart)
    # anomalous: 100 pixels 0.9, 100 missed; normal: 5600 in all, 100 each are
    # 0.1 0.2 0.5 0.6 0.3, the rest 0
    missed = (5800 - 500) / 5800 / 2
    assert values['pixel_auroc'] == pytest.approx((1 + missed) / 2, abs=1e-3)


def test_the_background_shows_missed_objects():
    ink = torch.full((3, 20, 100), 255, dtype=torch.uint8)
    ink[:, :10, 60:70] = 0
    blank = torch.full_like(ink, 255)
    pages = dict(inputs=[blank, ink, blank])
    values = [evaluate(**pages, background=shade) for shade in (None, 1.0)]
    plain, shaded = (value['anomaly/pixel_auroc'] for value in values)
    assert shaded > 0.99 > plain
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 3)
    away = background_difference(image.expand(3, 1, 3), (1, 3), 0.8)
    assert away[0].tolist() == pytest.approx([0.8, 0.6, 0.2])


def test_detections_below_the_papers_p_do_not_count():
    values = evaluate(min_confidence=0.5)
    assert values['anomaly/detected_anomaly'] == 0
    assert 'anomaly/pearson_auroc' not in values  # nothing is left to rank
    assert values['anomaly/pearson_auroc_all'] == pytest.approx(0.1)
    values = evaluate(SAMPLES[2:])  # a page without an anomalous object
    assert values['anomaly/detected_normal'] == 0.5
    assert not any('auroc' in name or 'aupro' in name for name in values)


def test_the_papers_figure_is_drawn(tmp_path):
    path = tmp_path / 'new' / 'separation.png'
    evaluate(figure=str(path))
    with Image.open(path) as image:
        pixels = np.asarray(image.convert('RGB')).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).sum()
    red = (pixels[..., 0] - pixels[..., 2] > 60).sum()
    assert min(blue, red) > 500


def test_samples_that_lack_something_are_refused():
    one = sample([(0, 0.9, 0.1)], [0], [])
    del one['pred_instances']['score_pearson']
    with pytest.raises(ValueError, match='needs the score pearson'):
        evaluate([one], figure='x.png', pixel=False)
    del one['pred_instances']['score_confidence']
    with pytest.raises(ValueError, match=r'score_NAME.*use mmocc\.DEA'):
        evaluate([one])
    del one['gt_instances']['anomaly']
    with pytest.raises(KeyError, match='LoadAnomalyAnnotations'):
        anomaly_truth(one)
    packed = pytest.importorskip('mmdet.structures').DetDataSample()
    for empty in (False, True):
        if empty:
            packed.gt_instances = InstanceData()
        with pytest.raises(KeyError, match="no 'bboxes' in gt_instances"):
            anomaly_truth(packed)
