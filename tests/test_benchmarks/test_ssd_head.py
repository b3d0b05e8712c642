"""The benchmark of SSD's head runs; how fast it is, is not tested here."""

import json
import sys

import pytest
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')
sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import ssd_head


def test_a_loss_is_timed_and_its_memory_measured(run_tool, tmp_path):
    run = (sys.executable, '-m', 'benchmarks.ssd_head', '--threads', '1')
    only = ('--only', 'loss-voc-8')
    result = run_tool(*run, *only, '--quick', '--json', 'speed.json')
    assert result.returncode == 0, result.stderr
    (row,) = json.loads((tmp_path / 'speed.json').read_text())['results']
    assert row['name'] == 'loss voc, batch 8, times faster than mmdet'
    assert min(row['ours_ms'], row['other_ms']) > 0
    result = run_tool(*run, *only, '--memory')
    assert result.returncode == 0, result.stderr
    assert 'memory of loss voc, batch 8: ours' in result.stdout


def test_heads_that_disagree_are_not_timed(monkeypatch):
    learn = ssd_head.learn

    def other(head, *args):
        return learn(head, *args) * (1 + (type(head).__name__ == 'SSDHead'))

    monkeypatch.setattr(ssd_head, 'learn', other)
    with pytest.raises(AssertionError, match='not close'):
        ssd_head.loss_case('voc', 1)
