"""Programs that run one after another, with short progress and whole logs."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

Progress = Callable[[str], str | None]  # what a line of a log tells, if any

LAST_LINES = 20


def run_stage(
    title: str,
    command: Sequence[str],
    log: Path,
    progress: Progress = lambda line: None,
) -> None:
    """Run a Python program; its output goes to the end of a log.

    Args:
        title: What it does, printed first.
        command: Path of the program and its arguments.
        log: The file, which keeps what earlier runs wrote.
        progress: Returns what to print for a line of the output, or None.

    Raises:
        SystemExit: It failed, or was stopped; the end of the log is printed.
    """
    print(title, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    end: deque[str] = deque(maxlen=LAST_LINES)
    with (
        log.open('a', encoding='utf-8') as file,
        subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, PYTHONUNBUFFERED='1'),
            encoding='utf-8',
            errors='backslashreplace',
        ) as process,
    ):
        file.write(f'$ python {shlex.join(command)}\n')
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                end.append(line)
                if message := progress(line):
                    print(f'  {message}', flush=True)
        except KeyboardInterrupt:  # the program gets it as well
            process.wait()
            sys.exit(f'Stopped; the same command goes on. Log: {log}')
    if process.returncode:
        print(''.join(end), end='')
        sys.exit(f'{command[0]} failed; the whole log: {log}')


class TrainingProgress:
    """The end of each epoch, from the lines of mmengine's LoggerHook."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.eta = ''

    def __call__(self, line: str) -> str | None:
        """Return ``epoch 3 of 10: accuracy 91.2 %, 0:02:10 left``."""
        eta = re.search(r'Epoch\(train\) .* eta: ((?:\d+ days?, )?\S+)', line)
        if eta:
            self.eta = f', {eta[1]} left'
        match = re.search(r'Epoch\(val\) +\[(\d+)\]\[(\d+)/\2\]', line)
        if not match:
            return None
        score = re.search(r'accuracy/top1: ([\d.]+)', line)
        score = f': accuracy {float(score[1]):.1f} %' if score else ''
        left = self.eta if int(match[1]) < self.epochs else ''
        return f'epoch {match[1]} of {self.epochs}{score}{left}'


class ReportProgress:
    """The cells that the occlusion report has finished."""

    def __init__(
        self,
        cells: Sequence[str],
        models: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cells = cells
        self.models = models
        self.clock = clock
        self.start = clock()
        self.scores: dict[str, list[str]] = {}

    def __call__(self, line: str) -> str | None:
        """Return ``L1 white: 78.1, 85.6 %, 0:40 left``."""
        match = re.search(r' (L\d[ \w]*?) +([\d.]+) %$', line)
        if not match or match[1] not in self.cells:
            return None
        scores = self.scores.setdefault(match[1], [])
        scores.append(f'{float(match[2]):.1f}')
        if len(scores) < self.models:
            return None
        left = len(self.cells) - self.cells.index(match[1]) - 1
        seconds = (self.clock() - self.start) / len(self.scores) * left
        minutes, seconds = divmod(round(seconds), 60)
        eta = f', {minutes}:{seconds:02d} left' if left else ''
        return f'{match[1]}: {", ".join(scores)} %{eta}'
