"""Exponents are fitted right; how fast things are is not tested here."""

import sys

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import growth


@pytest.mark.parametrize('power', [0, 1, 1.5, 2])
def test_an_exponent_is_that_of_the_law(power):
    sizes = np.array([1, 4, 16, 64])
    assert growth.exponent(sizes, 3e-3 * sizes**power) == pytest.approx(power)


def test_times_become_a_line_of_the_table(monkeypatch):
    def seconds(work, times=1):
        return work() ** 2 * 1e-3

    monkeypatch.setattr(growth, 'seconds', seconds)
    found = growth.grow('area', lambda n: lambda: n, (2, 4, 8), 1, 3)
    assert found.ratio == pytest.approx(2)
    assert (found.ours_ms, found.other_ms) == pytest.approx((64, 4))
    assert (found.target, found.verdict) == ('<= 1.15', 'missed')
    assert found.rounds == 3


@pytest.mark.parametrize('name', growth.CURVES)
def test_the_smallest_work_of_each_curve_runs(name):
    if name == 'objects-priors':
        pytest.importorskip('mmdet')
    make, sizes, _ = growth.CURVES[name]
    assert list(sizes) == sorted(sizes)
    make(sizes[0])()
