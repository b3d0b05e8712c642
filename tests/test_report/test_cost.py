"""What occlusion costs: losses by level, and accuracy by hidden share."""

import numpy as np
import pytest
from toy_answers import BASE, answers

from mmocc.report.cost import costs, curves_of, share_curve, share_curves
from mmocc.report.hit_table import hit_table
from mmocc.report.statistics import accuracy_interval, difference_interval


def test_a_cost_is_the_paired_difference_of_clean_and_occluded():
    found = costs(hit_table(BASE))
    assert list(found) == ['L1', 'L1-L3']
    cost = found['L1-L3']
    # clean: 4 of 4; white: 1 of 4; noise: 2 of 4
    assert (cost['clean'], cost['occluded']) == (100, 37.5)
    assert (cost['loss'], cost['images']) == (62.5, 4)
    clean = np.ones(4, bool)
    hard = np.array([[1, 1], [0, 1], [0, 0], [0, 0]], bool)
    ends = difference_interval(clean, hard)
    assert cost['interval'] == pytest.approx([100 * e for e in ends], abs=1e-3)
    assert cost['interval'][0] < 62.5 < cost['interval'][1]


def test_a_cost_is_of_the_images_that_have_all_answers():
    cells = {
        'L0': answers([1, 0, 1]),
        'L2 white': answers([0, 0], index=[1, 2]),
    }
    cost = costs(hit_table(cells))['L2']
    # images 1 and 2: clean 0 and 1, occluded 0 and 0
    assert (cost['clean'], cost['loss'], cost['images']) == (50, 50, 2)


def test_cells_of_separate_images_have_independent_accuracies():
    cells = {
        'L0': answers([1] * 9 + [0], index=range(10)),
        'L1 real': answers([1, 0] * 5, index=range(10, 20)),
    }
    cost = costs(hit_table(cells))['L1']
    assert (cost['loss'], cost['images']) == (40, 20)
    one = accuracy_interval(np.array([1] * 9 + [0], bool))
    two = accuracy_interval(np.array([1, 0] * 5, bool))
    low = 0.4 - np.hypot(0.9 - one[0], two[1] - 0.5)
    high = 0.4 + np.hypot(one[1] - 0.9, 0.5 - two[0])
    assert cost['interval'] == pytest.approx([100 * low, 100 * high], abs=1e-3)


def test_nothing_is_known_without_a_clean_cell():
    assert costs(hit_table({'L1 white': answers([1, 0])})) == {}
    assert costs(hit_table({'L0': answers([1, 0])})) == {}


def test_a_curve_bins_answers_by_their_own_share():
    share = np.array([0.2, 0.24, 0.25, 0.6, 0.6], np.float32)
    hits = np.array([1, 0, 1, 0, 0], bool)
    curve = share_curve(share, hits, np.array([0, 1, 2, 3, 3]))
    assert [point['answers'] for point in curve] == [2, 1, 2]
    assert [point['accuracy'] for point in curve] == [50, 100, 0]
    shares = [point['share'] for point in curve]
    assert shares == pytest.approx([22, 25, 60], abs=1e-3)
    # two answers to one photo are worth less than two to two photos
    alone = share_curve(share[3:], hits[3:], np.array([3, 4]))
    assert curve[2]['interval'][1] > alone[0]['interval'][1]


def test_curves_are_of_all_kinds_and_of_each():
    curves = share_curves(BASE)
    assert list(curves) == ['all kinds', 'white', 'noise']
    assert curves['all kinds'][0]['answers'] == 8
    assert curves['white'][0]['accuracy'] == 25
    unknown = {'L0': answers([1]), 'L1 white': answers([1, 0])}  # share 0
    assert share_curves(unknown) == {}
    assert curves_of({}) == {}
