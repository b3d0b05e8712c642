"""Odd objects: matching, values by hand, pixels, several processes."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image
from sklearn.metrics import auc, roc_auc_score

from mmocc.evaluation.anomaly_truth import anomaly_truth
from mmocc.evaluation.anomaly_values import (
    background_difference,
    object_values,
    pixel_values,
)
from mmocc.evaluation.object_anomaly_metric import ObjectAnomalyMetric
from mmocc.evaluation.pasting import paste_maps
from mmocc.evaluation.pixel_curves import aupro, count_pixels, pixel_auroc
from mmocc.utils.object_matching import match_objects


def squares(*lefts):
    """Return boxes 10 pixels wide that begin here."""
    return torch.tensor([[x, 0.0, x + 10, 10.0] for x in lefts]).view(-1, 4)


def test_the_most_confident_detection_speaks_for_an_object():
    # 1 px off has IoU 9 / 11, 4 px 6 / 14 (too little), 30 is elsewhere
    found = squares(1, 0, 2, 54, 30)
    confidence = torch.tensor([0.5, 0.2, 0.7, 0.9, 0.8])
    assert match_objects(found, confidence, squares(0, 50)).tolist() == [2, -1]


def test_a_detection_speaks_for_one_object_only():
    found, confidence = squares(4), torch.tensor([0.9])
    truth = squares(6, 3)  # IoU 8 / 12 and 9 / 11
    assert match_objects(found, confidence, truth, 0.3).tolist() == [-1, 0]


@pytest.mark.parametrize(('n', 'm'), [(0, 2), (2, 0), (0, 0)])
def test_nothing_matches_nothing(n, m):
    matched = match_objects(
        squares(*range(n)), torch.ones(n), squares(*range(m))
    )
    assert matched.tolist() == [-1] * m


def test_values_of_objects_by_hand():
    odd = np.array([0, 0, 0, 0, 1, 1, 1], bool)
    scores = np.array([0.1, 0.2, 0.6, np.nan, 0.5, 0.9, np.nan])
    values = object_values(scores, odd, false_alarms=0.5)
    # 0.5 is above 2 of 3, 0.9 above 3 of 3
    assert values['auroc'] == pytest.approx(5 / 6)
    # of 4 normal: 3, 4, and the missed one half of the missed one
    assert values['auroc_all'] == pytest.approx((3 + 4 + 0.5) / 12)
    # by falling score: odd, normal, odd, ...: (1/1 + 2/3) / 2
    assert values['ap'] == pytest.approx((1 + 2 / 3) / 2)
    # the missed ones come last together: 3 odd of 7
    assert values['ap_all'] == pytest.approx((1 + 2 / 3 + 3 / 7) / 3)
    # half of the normal ones exceed 0.2: two of three odd ones do
    assert values['recall'] == pytest.approx(2 / 3)


def test_values_that_are_not_defined_are_none():
    scores = np.array([0.1, 0.2])
    normal = np.zeros(2, bool)
    assert set(object_values(scores, normal, 0.05).values()) == {None}
    nothing = object_values(np.full(2, np.nan), ~normal, 0.05)
    assert set(nothing.values()) == {None}


def test_maps_are_pasted_where_their_boxes_are():
    page = np.zeros((20, 30), np.float32)
    maps = np.stack([np.full((8, 8), 0.5), np.full((8, 8), 0.9)])
    boxes = np.array([[2.0, 3, 12, 13], [10.0, 3, 20, 13]])
    for confidence, both in (([0.9, 0.1], 0.5), ([0.1, 0.9], 0.9)):
        out = paste_maps(
            page, maps.astype(np.float32), boxes, np.array(confidence)
        )
        expected = page.copy()
        expected[3:13, 2:12] = 0.5
        expected[3:13, 10:20] = 0.9
        expected[3:13, 10:12] = both  # the more confident one is seen
        np.testing.assert_allclose(out, expected, atol=1e-6)
    assert not page.any()


@pytest.mark.parametrize('side', [4, 16, 64])
def test_a_pasted_ramp_is_where_it_belongs_to_a_part_of_a_pixel(side):
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


@pytest.mark.parametrize(
    'box',
    [[-9.0, -9, 5, 5], [35.0, 35, 60, 60], [50.0, 50, 60, 60], [3.0, 3, 3, 3]],
)
def test_boxes_may_reach_beyond_the_page(box):
    page = np.zeros((40, 40), np.float32)
    maps = np.ones((1, 8, 8), np.float32)
    out = paste_maps(page, maps, np.array([box]), np.ones(1))
    x1, y1, x2, y2 = np.clip(box, 0, 40).astype(int)
    assert out.sum() == (x2 - x1) * (y2 - y1)


def random_pixels(seed, regions=3):
    rng = np.random.default_rng(seed)
    truth = np.zeros((40, 50), np.uint8)
    for index in range(regions):
        truth[5 : 10 + 3 * index, 15 * index + 1 : 15 * index + 9] = 1
    scores = (0.3 * truth + rng.random(truth.shape)) / 1.3
    return scores.astype(np.float32), truth


def test_pixel_auroc_is_scikit_learns_to_a_bin():
    maps = [random_pixels(seed, 1 + seed) for seed in range(3)]
    counts = count_pixels(*maps[0]) + count_pixels(*maps[1])
    counts += count_pixels(*maps[2])
    scores, truth = (
        np.concatenate([pair[i].ravel() for pair in maps]) for i in (0, 1)
    )
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
        overlaps.append(
            np.mean([above[regions == r + 1].mean() for r in range(number)])
        )
    grid = np.linspace(0, limit, 10001)
    values = np.interp(grid, rates, overlaps)
    return auc(grid, values) / limit


def test_aupro_is_that_of_every_threshold():
    scores, truth = random_pixels(0)
    found = aupro(count_pixels(scores, truth))
    assert found == pytest.approx(slow_aupro(scores, truth), abs=2e-3)


def test_aupro_weighs_a_small_region_as_a_large_one():
    truth = np.zeros((100, 100), np.uint8)
    truth[:50, :50] = 1
    truth[80:82, 80:82] = 1
    scores = np.zeros((100, 100), np.float32)
    scores[:50, :50] = 0.9  # the large one is found at once, the other never
    counts = count_pixels(scores, truth)
    # the small one's share rises with the false positives, all in one bin
    assert aupro(counts) == pytest.approx(
        (0.5 + 0.5 * (1 + 0.3)) / 2, abs=0.01
    )
    assert pixel_auroc(counts) > 0.99


def test_pixels_without_a_region_have_no_value():
    counts = count_pixels(np.zeros((5, 5), np.float32), np.zeros((5, 5)))
    assert pixel_values(counts) == dict(pixel_auroc=None, aupro=None)


@pytest.mark.parametrize(
    ('scores', 'message'),
    [
        (np.zeros((5, 6)), r'\(5, 6\) for a ground truth of \(5, 5\)'),
        (np.full((5, 5), np.nan), 'not finite'),
    ],
)
def test_maps_that_do_not_fit_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        count_pixels(scores, np.zeros((5, 5)))


def test_background_difference_by_hand():
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 3)
    found = background_difference(image.expand(3, 1, 3), (1, 3), 0.8)
    assert found[0].tolist() == pytest.approx([0.8, 0.6, 0.2])


def sample(found, normal, odd, errors=0.0, size=(20, 100)):
    """Return a predicted sample: found has (left, confidence, score)."""
    found = torch.tensor(found).float().view(-1, 3)
    count, (height, width) = len(found), size
    pixels = torch.zeros(1, height, width, dtype=torch.uint8)
    for left in odd:
        pixels[:, :10, left : left + 10] = 1

    def objects(lefts, label, anomaly):
        return dict(
            bboxes=squares(*lefts),
            labels=torch.full((len(lefts),), label),
            anomaly=torch.full((len(lefts),), anomaly),
        )

    return dict(
        pred_instances=dict(
            bboxes=squares(*found[:, 0].tolist()),
            scores=found[:, 1],
            score_pearson=found[:, 2],
            score_confidence=1 - found[:, 1],
            errors=found[:, 2, None, None].expand(count, 8, 8) * errors,
        ),
        gt_instances=objects(normal, 3, 0),
        ignored_instances=objects(odd, -1, 1),
        gt_sem_seg=dict(sem_seg=pixels),
    )


SAMPLES = [
    sample(
        [(0, 0.9, 0.1), (20, 0.8, 0.2), (40, 0.3, 0.9), (80, 0.1, 0.5)],
        normal=[0, 20],
        odd=[40],
        errors=1.0,
    ),
    # a normal object that is redrawn badly, an odd one that is missed
    sample([(0, 0.7, 0.6)], normal=[0], odd=[60], errors=1.0),
    sample([(0, 0.6, 0.3)], normal=[0, 40], odd=[], errors=1.0),
]


def evaluate(samples=SAMPLES, inputs=None, **options):
    metric = ObjectAnomalyMetric(**options)
    blank = torch.full((3, 20, 100), 255, dtype=torch.uint8)
    for number, one in enumerate(samples):
        image = blank if inputs is None else inputs[number]
        metric.process(dict(inputs=[image]), [one])
    return metric.evaluate(len(samples))


def test_only_sure_detections_speak_for_their_image():
    every, sure, none = (
        evaluate(image_confidence=value) for value in (0, 0.5, 1.1)
    )
    # of the first page only 0.1 and 0.2 are left, of odd pages 0.2 and 0.6
    assert every['anomaly/pearson_image_auroc'] == 1
    assert sure['anomaly/pearson_image_auroc'] == pytest.approx(1 / 2)
    assert none['anomaly/pearson_image_auroc'] == pytest.approx(1 / 2)
    assert sure['anomaly/confidence_image_auroc'] == 0
    # objects are judged as before
    assert {k: v for k, v in sure.items() if 'image' not in k} == {
        k: v for k, v in every.items() if 'image' not in k
    }


def test_metrics_of_three_pages_by_hand():
    values = evaluate()
    values = {k.removeprefix('anomaly/'): v for k, v in values.items()}
    assert values['detected_normal'] == pytest.approx(4 / 5)
    assert values['detected_anomaly'] == pytest.approx(1 / 2)
    assert values['unmatched'] == pytest.approx(1 / 3)
    # detected: normal 0.1 0.2 0.6 0.3, odd 0.9
    assert values['pearson_auroc'] == 1
    # and one of each missed: (5 + 0 * 4 + 0.5) / 10
    assert values['pearson_auroc_all'] == pytest.approx(5.5 / 10)
    assert values['pearson_recall'] == pytest.approx(1 / 2)
    # confidence: normal 0.1 0.2 0.3 0.4, odd 0.7
    assert values['confidence_auroc'] == 1
    # oddest detection of each page: 0.9 and 0.6 are odd pages', 0.3 is not
    assert values['pearson_image_auroc'] == 1
    # by confidence 0.9 (the unmatched one), 0.3, 0.4
    assert values['confidence_image_auroc'] == pytest.approx(1 / 2)
    alike = 1 - np.array([0.1, 0.2, 0.6, 0.3])
    assert values['pearson_normal'] == pytest.approx(alike.mean())
    assert values['pearson_normal_std'] == pytest.approx(alike.std())
    assert values['pearson_anomaly'] == pytest.approx(0.1)
    apart = (alike.mean() - 0.1) / alike.std()
    assert values['separation'] == pytest.approx(apart)
    # odd: 100 pixels 0.9, 100 missed; normal: 5600 in all, 100 each are
    # 0.1 0.2 0.5 0.6 0.3, the rest 0
    missed = (5800 - 500) / 5800 / 2
    assert values['pixel_auroc'] == pytest.approx((1 + missed) / 2, abs=1e-3)


def test_where_nothing_was_redrawn_the_background_tells_what_was_missed():
    ink = torch.full((3, 20, 100), 255, dtype=torch.uint8)
    ink[:, :10, 60:70] = 0
    blank = torch.full_like(ink, 255)
    inputs = [blank, ink, blank]
    plain, seen = (
        evaluate(inputs=inputs, background=shade)['anomaly/pixel_auroc']
        for shade in (None, 1.0)
    )
    assert seen > 0.99 > plain


def test_detections_below_the_papers_p_do_not_count():
    values = evaluate(min_confidence=0.5)
    assert values['anomaly/detected_anomaly'] == 0
    assert 'anomaly/pearson_auroc' not in values  # no odd object is detected
    assert values['anomaly/pearson_auroc_all'] == pytest.approx(0.1)


def test_pages_without_odd_objects_have_what_is_defined():
    values = evaluate(SAMPLES[2:])
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


def test_the_figure_needs_pearson():
    one = sample([(0, 0.9, 0.1)], [0], [])
    del one['pred_instances']['score_pearson']
    with pytest.raises(ValueError, match='needs the score pearson'):
        evaluate([one], figure='x.png', pixel=False)


def test_predictions_without_scores_are_refused():
    one = sample([(0, 0.9, 0.1)], [0], [])
    for name in ('score_pearson', 'score_confidence'):
        del one['pred_instances'][name]
    with pytest.raises(ValueError, match=r'score_NAME.*use mmocc\.DEA'):
        evaluate([one])


def test_data_that_do_not_tell_what_is_odd_are_refused():
    one = sample([(0, 0.9, 0.1)], [0], [])
    del one['gt_instances']['anomaly']
    with pytest.raises(KeyError, match='LoadAnomalyAnnotations'):
        evaluate([one])


@pytest.mark.parametrize('empty', [False, True])
def test_a_packed_sample_without_truth_says_so(empty):
    structures = pytest.importorskip('mmdet.structures')
    packed = structures.DetDataSample()
    if empty:
        packed.gt_instances = InstanceData()
    with pytest.raises(KeyError, match="no 'bboxes' in gt_instances"):
        anomaly_truth(packed)
