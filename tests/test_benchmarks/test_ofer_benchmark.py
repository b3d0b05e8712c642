"""The benchmark of self-assembly runs; its speed is not tested."""

import json
import sys

import pytest
import torch
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import ofer


@pytest.fixture
def small(monkeypatch):
    """Make the maps small enough for a test."""
    monkeypatch.setattr(ofer, 'CHANNELS', 6)
    monkeypatch.setattr(ofer, 'SIDE', 5)


def test_the_rivals_agree_and_both_are_timed(small, monkeypatch, tmp_path):
    path = tmp_path / 'speed.json'
    options = ['--quick', '--only', 'assembly-', '--json', str(path)]
    monkeypatch.setattr(sys, 'argv', ['ofer', *options])
    ofer.main()
    rows = json.loads(path.read_text())['results']
    assert [row['target'] for row in rows] == ['', '>= 20.00']
    assert min(row['ours_ms'] for row in rows) > 0
    assert min(row['other_ms'] for row in rows) > 0


def test_the_double_loop_agrees_for_each_image_of_a_batch(small):
    inputs = ofer.maps(3)
    assert inputs[2].sum((1, 2, 3)).tolist() == [round(0.3 * 25)] * 3
    maps = ofer.double_loop(*inputs)
    assert torch.allclose(maps, ofer.ours(*inputs), atol=1e-5)


def test_rivals_that_disagree_are_not_timed(small, monkeypatch):
    monkeypatch.setattr(ofer, 'ours', lambda a, b, hole: 2 * a - b)
    with pytest.raises(AssertionError, match='not close'):
        ofer.assembly(1)
