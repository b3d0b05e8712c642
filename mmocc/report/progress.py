"""One line of progress, with one estimate of the time left, for a report."""

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mmocc.utils.bars import draws_bars
from mmocc.utils.ranks import is_main_process


class ReportProgress:
    """A bar over all cells and models; nothing where no terminal is.

    A notebook without ipywidgets gets a line for each cell instead.

    Args:
        total: Work in all, in any unit.
        console: Where the bar is drawn; by default the standard output.
    """

    def __init__(self, total: float, console: Console | None = None) -> None:
        console = console or Console(file=sys.stdout)
        seen = draws_bars(console) and is_main_process()
        self.lines = console.is_jupyter and is_main_process() and not seen
        self.bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not seen,
        )
        self.task = self.bar.add_task('', total=total)
        self.done = 0.0

    def __enter__(self) -> 'ReportProgress':
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def track(self, loader: Any, words: str, work: float) -> Iterator[Any]:
        """Yield the batches of a loader, which are this much work.

        The loader tells its length.
        """
        start, batches = self.done, max(len(loader), 1)
        self.bar.update(self.task, description=words)
        if self.lines:
            print(
                f'{start / max(self.bar.tasks[0].total or 0, 1):4.0%} {words}'
            )
        for number, batch in enumerate(loader, 1):
            yield batch
            self._move_to(start + work * min(number / batches, 1))
        self._move_to(start + work)

    def skip(self, work: float) -> None:
        """Take work that need not be done off the total."""
        total = self.bar.tasks[0].total or 0
        self.bar.update(self.task, total=max(total - work, 0))

    def _move_to(self, done: float) -> None:
        """Move the end of the bar."""
        self.done = done
        self.bar.update(self.task, completed=done)
