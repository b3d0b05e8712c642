import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from mmocc.evaluation import TemporalMeanAP
from mmocc.evaluation.temporal_segments import (
    Segments,
    average_precision,
    find_hits,
    map_to_segments,
    segment_iou,
    temporal_map,
)


@pytest.mark.parametrize(
    ('scores', 'threshold', 'expected'),
    [
        ([0, 3, 4, 0, 0, 4], 0.5, [(1, 3), (5, 6)]),
        ([0, 2, 4, 2, 0], 0.5, [(2, 3)]),  # 2 is half of 4, not above it
        ([4, 4, 4], 0.5, [(0, 3)]),
        ([-1, -2, 1, -1], 0.0, [(2, 3)]),
        ([0, 0, 0], 0.5, []),
        ([-3, -1], 0.5, []),
        ([], 0.5, []),
    ],
)
def test_runs_above_the_share_of_the_maximum_are_segments(
    scores, threshold, expected
):
    segments, strength = map_to_segments(np.array(scores), threshold)
    assert segments.tolist() == [list(segment) for segment in expected]
    means = [np.mean(scores[a:b]) / max(scores) for a, b in expected]
    assert strength.tolist() == pytest.approx(means)


@pytest.mark.parametrize('scores', [[[1, 2]], [1, float('nan')]])
def test_wrong_maps_and_thresholds_are_refused(scores):
    with pytest.raises(ValueError, match='finite numbers'):
        map_to_segments(scores)
    with pytest.raises(ValueError, match=r'threshold must be .* got 1'):
        map_to_segments([1, 2], threshold=1)


def test_overlap_is_intersection_over_union():
    others = [(0, 10), (5, 15), (2, 4), (10, 20), (30, 40), (5, 5)]
    expected = [[1, 5 / 15, 2 / 10, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    overlaps = segment_iou([(0, 10), (5, 5)], others)
    np.testing.assert_allclose(overlaps, expected)
    np.testing.assert_allclose(
        segment_iou(others, [(0, 10), (5, 5)]), overlaps.T
    )


def segments(*rows):
    video, span, score = zip(*rows, strict=True)
    return Segments(np.array(video), np.array(span), np.array(score))


TRUTH = segments((0, (0, 10), 0), (0, (20, 30), 0), (1, (0, 10), 0))
PREDICTED = segments(
    (1, (50, 60), 0.2),  # far from all: a miss
    (0, (0, 10), 0.9),  # a hit
    (0, (1, 10), 0.8),  # that one is not free: a miss
    (0, (22, 30), 0.7),  # IoU 0.8
    (1, (0, 20), 0.6),  # IoU 0.5
    (2, (0, 10), 0.5),  # a video without truth
)


@pytest.mark.parametrize(
    ('iou', 'expected'),
    [
        (0.4, [1, 0, 1, 1, 0, 0]),
        (0.5, [1, 0, 1, 0, 0, 0]),  # an IoU of 0.5 is not more than 0.5
        (0.85, [1, 0, 0, 0, 0, 0]),
    ],
)
def test_predictions_take_the_truth_by_falling_score(iou, expected):
    assert find_hits(PREDICTED, TRUTH, iou).tolist() == expected


def test_a_prediction_takes_the_best_that_is_free():
    truth = segments((0, (0, 10), 0), (0, (4, 14), 0))
    predicted = segments((0, (3, 13), 0.9), (0, (2, 12), 0.8))
    # the first takes (4, 14), IoU 9/11; (0, 10) is left, IoU 8/12
    assert find_hits(predicted, truth, 0.6).tolist() == [True, True]
    assert find_hits(predicted, truth, 0.7).tolist() == [True, False]


@pytest.mark.parametrize(
    ('hits', 'total', 'area', 'eleven'),
    [
        # precisions at the hits: 1, 2/3, 3/4; recalls 1/3, 2/3, 1
        ([1, 0, 1, 1], 3, (1 + 2 / 3 + 3 / 4) / 3, (4 + 7 * 0.75) / 11),
        ([1, 1], 2, 1, 1),
        ([0, 0], 2, 0, 0),
        ([], 2, 0, 0),
        # one of two is never found: recall stops at 1/2
        ([0, 1], 2, 1 / 4, 6 * 0.5 / 11),
    ],
)
def test_average_precision_has_the_values_computed_by_hand(
    hits, total, area, eleven
):
    hits = np.array(hits, bool)
    assert average_precision(hits, total) == pytest.approx(area)
    assert average_precision(hits, total, 11) == pytest.approx(eleven)


def test_activitynets_evaluation_takes_the_best_precision_and_equality():
    hits = np.array([0, 1, 0, 1, 1], bool)
    # Precision 1/2, 1/2 and 3/5 at the hits; the best at that recall or more
    # is 3/5 for all of them.
    assert average_precision(hits, 4, 'all') == pytest.approx(3 * 0.6 / 4)
    truth = Segments(np.array([0]), np.array([[0.0, 10.0]]))
    half = Segments(np.array([0]), np.array([[0.0, 5.0]]), np.ones(1))
    assert not find_hits(half, truth, 0.5).any()
    assert find_hits(half, truth, 0.5, inclusive=True).all()
    twice = Segments(np.zeros(2, int), half.span.repeat(2, 0), np.ones(2))
    assert find_hits(twice, truth, 0.0, inclusive=True).sum() == 1
    means = temporal_map({0: half}, {0: truth}, (0.5,), 'all', True)
    assert means == {0.5: 1.0}


def test_average_precision_is_scikit_learns_at_full_recall():
    rng = np.random.default_rng(0)
    hits = rng.random(50) < 0.4
    expected = average_precision_score(hits, -np.arange(50))
    assert average_precision(hits, hits.sum()) == pytest.approx(expected)


def test_the_mean_is_over_the_classes_that_have_truth():
    truth = {0: TRUTH, 3: TRUTH, 4: segments((0, (0, 1), 0))}
    predicted = {0: PREDICTED, 3: TRUTH, 7: PREDICTED}
    means = temporal_map(predicted, truth, ious=(0.4, 0.5))
    # class 0: by hand as above; class 3: all right; class 4: none
    assert means[0.4] == pytest.approx(((1 + 2 / 3 + 3 / 4) / 3 + 1 + 0) / 3)
    assert means[0.5] == pytest.approx(((1 + 2 / 3) / 3 + 1 + 0) / 3)
    with pytest.raises(ValueError, match='no ground truth'):
        temporal_map({0: PREDICTED}, {})


def sample(index, label, cams, score, truth):
    return dict(
        sample_idx=index,
        gt_label=torch.tensor([label]),
        cams=torch.tensor(cams, dtype=torch.float32)[..., None],
        pred_score=torch.tensor(score),
        gt_segments=np.array(truth),
    )


def evaluate(samples, **kwargs):
    metric = TemporalMeanAP(**kwargs)
    for part in samples:
        metric.process({}, [part])
    return metric.evaluate(len(samples))


def test_the_metric_goes_from_maps_to_percent():
    samples = [
        sample(0, 0, [[9, 9, 0, 9], [9, 0, 0, 0]], [0.95, 0.05], [(0, 2)]),
        sample(1, 1, [[0, 0, 9, 0], [0, 4, 9, 4]], [0.6, 0.4], [(1, 4)]),
    ]
    metrics = evaluate(samples, threshold=0.5, ious=(0.3, 0.5))
    # Class 0: (0, 2) hit and (3, 4) miss of video 0, scores 0.95 both;
    # (2, 3) of video 1 has 0.6. Class 1: (2, 3) of (1, 4), IoU 1/3; its map
    # in video 0 is left out, at a probability of 0.05.
    assert metrics == pytest.approx(
        {
            'temporal/mAP@0.3': 100,
            'temporal/mAP@0.5': 50,
            'temporal/mAP': 75,
        }
    )
    loose = evaluate(samples, threshold=0.4, min_score=0.0, ious=(0.5,))
    assert loose['temporal/mAP@0.5'] == pytest.approx(100)
    # The most probable class always counts as present.
    samples = [sample(0, 1, [[0, 0], [1, 0]], [0.04, 0.05], [(0, 1)])]
    assert evaluate(samples)['temporal/mAP'] == pytest.approx(100)


def test_each_segment_may_have_a_label():
    part = sample(0, 0, [[1, 0], [0, 1]], [0.5, 0.5], [(0, 1), (1, 2)])
    part['gt_segment_labels'] = [0, 1]
    assert evaluate([part])['temporal/mAP'] == pytest.approx(100)


@pytest.mark.parametrize(
    ('key', 'remedy'), [('cams', 'CAMHead'), ('gt_segments', 'meta_keys')]
)
def test_the_message_for_an_incomplete_sample_has_the_remedy(key, remedy):
    part = sample(0, 0, [[1, 0]], [1.0], [(0, 1)])
    del part[key]
    with pytest.raises(ValueError, match=f'no {key}; .*{remedy}'):
        TemporalMeanAP().process({}, [part])
