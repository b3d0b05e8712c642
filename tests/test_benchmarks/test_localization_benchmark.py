"""The localization benchmark runs; how fast things are is not tested."""

import json
import sys

import numpy as np
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import localization


def test_a_case_is_measured_and_written(run_tool, tmp_path):
    result = run_tool(
        sys.executable,
        *('-m', 'benchmarks.localization', '--quick', '--only', 'cam'),
        *('--json', 'speed.json'),
    )
    assert result.returncode == 0, result.stderr
    (row,) = json.loads((tmp_path / 'speed.json').read_text())['results']
    assert row['name'] == 'MaxBoxAccV2 of 200 maps, cam, identical hits'
    assert row['target'] == '>= 3.00' and row['ours_ms'] > 0


def test_both_rivals_add_up_the_same_hits_of_every_kind():
    for kind in localization.KINDS:
        pair = localization.rivals(kind, 4)
        ours, other = pair.ours(), pair.other()
        assert ours.any()
        np.testing.assert_array_equal(ours, other)


def test_memory_is_measured_in_separate_processes(run_tool):
    result = run_tool(
        sys.executable,
        *('-m', 'benchmarks.localization', '--memory', '3', '6'),
    )
    assert result.returncode == 0, result.stderr
    # a host may print more lines when it is imported
    lines = [x for x in result.stdout.splitlines() if ' MiB at most' in x]
    three, six = lines
    assert three.startswith('3 maps: ') and six.startswith('6 maps: ')
