"""The benchmark of redrawing runs; how fast it is, is not tested here."""

import json
import sys

import pytest
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')
sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import dea


def test_the_decoders_are_timed_against_each_other(run_tool, tmp_path):
    run = (sys.executable, '-m', 'benchmarks.dea', '--threads', '1')
    flags = ('--quick', '--only', 'decode', '--json', 'speed.json')
    result = run_tool(*run, *flags)
    assert result.returncode == 0, result.stderr
    (row,) = json.loads((tmp_path / 'speed.json').read_text())['results']
    assert row['name'] == 'ConvDecoder / FCDecoder, 200 objects'
    assert min(row['ours_ms'], row['other_ms']) > 0


def test_both_rivals_find_the_same_number_of_objects():
    rivals = dea.over_detector('conv', ('pearson',))
    assert rivals.target == dea.TARGET
    assert rivals.ours() == rivals.other() == dea.OBJECTS
