"""Numbers beside the accuracy, against values by hand."""

import numpy as np
import pytest
import torch
from toy_answers import BASE, CLASSES, answers

from mmocc.report.classifiers import top_answers
from mmocc.report.hit_table import hit_table
from mmocc.report.measures import (
    area_under_accuracy,
    area_under_risk,
    negative_log_likelihood,
    retention,
    top_accuracy,
)
from mmocc.report.summary import summarise
from mmocc.report.tables import measure_rows


def test_rank_and_score_of_the_true_class():
    scores = torch.tensor([[0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
    rows = top_answers(scores, torch.tensor([2, 2, -1]))
    assert [row[0] for row in rows] == [1, 2, 0]
    assert [row[2] for row in rows] == [1, 0, -1]
    assert rows[0][3] == pytest.approx(0.3)
    assert rows[1][3] == pytest.approx(0.6)
    assert np.isnan(rows[2][3])


def test_top_five():
    given = answers([1, 0, 0])
    assert top_accuracy(given, 10) is None
    given.rank = np.array([0, 4, 5])
    assert top_accuracy(given, 10) == pytest.approx(2 / 3)
    assert top_accuracy(given, 5) is None


def test_likelihood():
    given = answers([1, 0])
    assert negative_log_likelihood(given) is None
    given.truth = np.array([1.0, np.exp(-3)], np.float32)
    assert negative_log_likelihood(given) == pytest.approx(1.5)
    given.truth = np.array([1.0, 0.0], np.float32)
    assert negative_log_likelihood(given) == pytest.approx(87.34 / 2, abs=0.01)
    given.probabilities = False
    assert negative_log_likelihood(given) is None


def test_area_under_risk():
    given = answers([1, 0, 1])
    given.confidence = np.array([0.9, 0.8, 0.7], np.float32)
    assert area_under_risk(given) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    given.confidence = np.array([0.9, 0.7, 0.7], np.float32)
    assert area_under_risk(given) == pytest.approx((0 + 1 / 4 + 1 / 3) / 3)
    given.confidence[:] = 0.5
    assert area_under_risk(given) == pytest.approx(1 / 3)


def test_retention_and_area():
    table = hit_table(BASE)  # 4 of 4 clean, then 1 of 4 and 2 of 4
    assert retention(table) == pytest.approx(0.375)
    white, noise = (1 + 0.25) / 2, (1 + 0.5) / 2
    area = area_under_accuracy(table, BASE)
    assert area == pytest.approx((white + noise) / 2)
    clean = {'L0': BASE['L0']}
    assert retention(hit_table(clean)) is None
    assert area_under_accuracy(hit_table(clean), clean) is None


def test_they_are_in_the_summary_and_its_table():
    report = summarise({'net': BASE}, CLASSES)
    heads, row = measure_rows(report)
    assert heads[:3] == ['model', 'retention, %', 'area, %']
    assert row[:4] == ['net', '37.5', '68.8', '-']
