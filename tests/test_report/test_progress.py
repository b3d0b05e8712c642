"""One bar for a whole report, and none without a terminal."""

import io

from rich.console import Console

from mmocc.report.progress import ReportProgress
from mmocc.utils import bars


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=80)


def test_a_report_is_done_when_all_its_cells_are():
    with ReportProgress(20, console(True)) as progress:
        task = progress.bar.tasks[0]
        halves = progress.track([1, 2], 'L0', 8)
        assert next(halves) == 1
        assert task.completed == 0 and task.description == 'L0'
        assert next(halves) == 2
        assert task.completed == 4
        assert list(halves) == [] and task.completed == 8
        assert list(progress.track([], 'L1 white', 2)) == []
        assert task.completed == 10
        progress.skip(4)
        assert task.total == 16
        assert list(progress.track(range(3), 'L2 white', 6)) == [0, 1, 2]
        assert task.finished
    text = progress.bar.console.file.getvalue()
    assert 'L2 white' in text and '100%' in text


def test_nothing_is_drawn_without_a_terminal():
    with ReportProgress(2, console(False)) as progress:
        assert list(progress.track([1], 'L0', 2)) == [1]
    assert progress.bar.console.file.getvalue() == ''


def test_a_notebook_without_ipywidgets_gets_lines_and_no_warning(
    monkeypatch, recwarn, capsys
):
    monkeypatch.setattr(bars, 'find_spec', lambda _: None)
    notebook = Console(file=io.StringIO(), force_jupyter=True, width=80)
    assert not bars.draws_bars(notebook)
    with ReportProgress(4, notebook) as progress:
        for cell in ('L0', 'L1 white'):
            assert list(progress.track([1, 2], cell, 2)) == [1, 2]
    assert capsys.readouterr().out.splitlines() == ['  0% L0', ' 50% L1 white']
    assert not recwarn.list
    monkeypatch.setattr(bars, 'find_spec', lambda name: name)
    assert bars.draws_bars(notebook)
