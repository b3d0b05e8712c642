"""The benchmark of the report runs; what it costs is not tested here."""

import sys

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
