import numpy as np
import pytest

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


def test_wilson_interval_of_known_value():
    # 8 of 10: 0.490, 0.943 (Brown, Cai, DasGupta 2001, Wilson)
    low, high = stats.wilson_interval(np.arange(10) < 8)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_bootstrap_agrees_with_the_normal_interval():
    values = np.random.default_rng(0).integers(0, 14, 3000) / 13
    low, high = stats.bootstrap_interval(values)
    half = 1.96 * values.std() / 3000**0.5
    assert low == pytest.approx(values.mean() - half, abs=half / 10)
    assert high == pytest.approx(values.mean() + half, abs=half / 10)
    assert stats.bootstrap_interval(values) == (low, high)
    assert stats.bootstrap_interval(np.full(5, 0.25)) == (0.25, 0.25)


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
