import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.coverage import coverage
from mmocc.report import statistics as stats


def test_groups_are_the_means_that_tables_report():
    groups = stats.cell_groups(['L0', 'L1 white', 'L1 noise', 'L3 white'])
    assert groups == {
        'mean': ['L0', 'L1 white', 'L1 noise', 'L3 white'],
        'L0': ['L0'],
        'L1': ['L1 white', 'L1 noise'],
        'L3': ['L3 white'],
        'L1-L3': ['L1 white', 'L1 noise', 'L3 white'],
    }
    means = stats.cell_means({'L0': 90, 'L1 white': 60, 'L1 noise': 30})
    assert means == {'mean': 60, 'L0': 90, 'L1': 45, 'L1-L3': 45}


@pytest.mark.parametrize('right', [0, 3, 8, 10])
def test_one_answer_a_photo_has_wilsons_interval(right):
    hits = np.arange(10) < right
    test = binomtest(right, 10).proportion_ci(0.95, method='wilson')
    interval = pytest.approx((test.low, test.high))
    assert stats.accuracy_interval(hits) == interval
    assert stats.accuracy_interval(hits[:, None]) == interval
    photos = np.array([f'{i}.jpg' for i in range(10)])
    assert stats.accuracy_interval(hits, photos) == interval
    # Two cells with the same answers tell no more than one.
    assert stats.accuracy_interval(hits.repeat(2).reshape(10, 2)) == interval


def test_objects_of_a_photo_count_by_the_spread_between_photos():
    # Sums of 3, 2, 1, 0 hits of 3: mean 0.5, gaps of 1.5, .5, -.5, -1.5.
    hits = np.array([1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0], bool)
    photos = np.repeat(list('dbca'), 3)
    variance = 4 / 3 * (2 * 1.5**2 + 2 * 0.5**2) / 12**2
    worth = 3.1824463**2 * variance / 0.25  # t of 3 degrees of freedom, / n
    reach = np.sqrt(worth * (0.25 + worth / 4)) / (1 + worth)
    low, high = stats.accuracy_interval(hits, photos)
    assert (low, high) == pytest.approx((0.5 - reach, 0.5 + reach))
    order = np.random.default_rng(0).permutation(12)
    again = stats.accuracy_interval(hits[order], photos[order])
    assert again == pytest.approx((low, high))
    # wider than that of independent objects, narrower than that of photos
    assert low < stats.accuracy_interval(hits)[0]


def test_photos_of_all_right_answers_count_once_each():
    low, high = stats.accuracy_interval(np.ones(50), np.arange(50) // 5)
    t = 2.2621572  # of 9 degrees of freedom
    assert (low, high) == pytest.approx((10 / (10 + t**2), 1))
    # One photo tells next to nothing.
    low, high = stats.accuracy_interval(np.array([1, 1, 0]), np.zeros(3))
    assert low < 0.01 and high > 0.99


def test_newcombes_interval_of_known_value():
    # His example of 1998: of 50 pairs, 36 both right, 12 and 2 by one alone.
    ours = np.repeat([1, 1, 0], [36, 12, 2])
    base = np.repeat([1, 0, 1], [36, 12, 2])
    found = stats.difference_interval(ours, base)
    assert found == pytest.approx((0.0569, 0.3404), abs=1e-4)
    mirrored = stats.difference_interval(base, ours)
    assert mirrored == pytest.approx((-found[1], -found[0]))


def test_intervals_contain_their_value():
    rng = np.random.default_rng(0)
    for _ in range(200):
        images, cells = rng.integers(1, 20), rng.integers(1, 4)
        ours, base = rng.random((2, images, cells)) < rng.random()
        photos = rng.integers(0, 8, images)
        low, high = stats.accuracy_interval(ours, photos)
        assert 0 <= low <= ours.mean() + 1e-12 <= high + 2e-12 <= 1 + 2e-12
        low, high = stats.difference_interval(ours, base, photos)
        gain = ours.mean() - base.mean()
        assert low - 1e-12 <= gain <= high + 1e-12


@pytest.mark.parametrize(
    'case',
    [(200, 1, False, 0.9), (200, 5, False, 0.6), (200, 5, True, 0.9)],
    ids=['single', 'five of a photo', 'some of a photo'],
)
def test_intervals_hold_in_95_of_100_cases(case):
    for share in coverage(*case, draws=500).values():
        assert 0.93 <= share <= 0.97


def test_accuracy_of_a_class_without_images_is_not_a_number():
    hits = np.array([True, False, True])
    accuracy = stats.per_class_accuracy(hits, np.array([0, 0, 2]), 4)
    assert accuracy[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isnan(accuracy[[1, 3]]).all()


def test_calibration_error_is_the_gap_weighed_by_images():
    confidence = np.array([0.95, 0.95, 0.15, 1.0])
    hits = np.array([True, False, False, True])
    mean, accuracy, count = stats.reliability(hits, confidence)
    assert count.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert accuracy[9] == pytest.approx(2 / 3)
    assert mean[9] == pytest.approx(2.9 / 3)
    gap = (abs(2.9 - 2.0) + 0.15) / 4
    assert stats.calibration_error(hits, confidence) == pytest.approx(gap)
