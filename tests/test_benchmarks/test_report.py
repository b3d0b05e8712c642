"""The benchmark of the report runs; what it costs is not tested here."""

import sys

import numpy as np

from benchmarks import report


def test_memory_is_measured_in_a_process_of_its_own(run_tool):
    command = ('-m', 'benchmarks.report', '--memory', '5', '40')
    result = run_tool(sys.executable, *command)
    assert result.returncode == 0, result.stderr
    first, second = [
        line for line in result.stdout.splitlines() if ' images: ' in line
    ]
    assert first.startswith('5 images: ')
    assert second.startswith('40 images: ')


def test_a_cell_and_the_plain_test_see_the_same_images(tmp_path, monkeypatch):
    monkeypatch.setattr(report, 'IMAGES', 4)
    rivals = report.cell_time('L0', 18, 32, {}, tmp_path)
    answers = rivals.ours()['model']
    plain = rivals.other()
    assert 100 * answers.hits.mean() == plain['accuracy/top1']
    assert len(answers.index) == rivals.per == 4


def test_a_module_the_tool_and_a_plain_loop_answer_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(report, 'IMAGES', 4)
    banks = dict.fromkeys(('texture_bank', 'object_bank'), 'builtin:test')
    for cell in ('L0', 'L2 object'):
        for rival in ('tool', 'loop'):
            rivals = report.module_time(rival, cell, 32, banks, tmp_path)
            ours, other = rivals.ours()['module'], rivals.other()
            assert len(ours.index) == rivals.per == 4
            if rival == 'tool':
                other = other['model']
                assert (ours.thumbnail == other.thumbnail).all()
                assert (ours.pred == other.pred).all()
                np.testing.assert_allclose(
                    ours.confidence, other.confidence, rtol=1e-2
                )
            elif cell == 'L0':
                assert ours.hits.mean() == other
