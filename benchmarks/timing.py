"""Two rivals timed in turns, so that noise of the machine hits both."""

import argparse
import json
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

MIN_ROUND = 0.05  # seconds; shorter work is repeated within a round
HEADER = ('what', 'ours ms', 'other ms', 'ratio', 'middle half', 'target', '')


@dataclass
class Rivals:
    """Our work and what it is compared with.

    Attributes:
        name: What is measured.
        ours: Does our work once.
        other: Does the work of the rival once.
        per: Number of items in one call; times are given per item.
        faster: Whether the ratio is how many times faster ours is; else it
            is our time over that of the other.
        target: Largest ratio allowed, or smallest if ``faster``, or None.
    """

    name: str
    ours: Callable[[], object]
    other: Callable[[], object]
    per: int = 1
    faster: bool = False
    target: float | None = None


@dataclass
class Result:
    """The measurement of two rivals.

    Attributes:
        name: What was measured.
        ours_ms: Median time of ours for one item, in milliseconds.
        other_ms: The same of the other.
        ratio: Median of the rounds' ratios.
        middle_half: Range of the middle half of the rounds' ratios.
        target: Such as ``<= 1.10``; empty if there is none.
        verdict: ``met``, ``missed`` or empty.
        rounds: Number of rounds.
    """

    name: str
    ours_ms: float
    other_ms: float
    ratio: float
    middle_half: tuple[float, float]
    target: str
    verdict: str
    rounds: int

    def cells(self) -> tuple[str, ...]:
        """Return the columns of :data:`HEADER`."""
        low, high = self.middle_half
        return (
            self.name,
            show(self.ours_ms),
            show(self.other_ms),
            f'{self.ratio:.3f}',
            f'{low:.3f}-{high:.3f}',
            self.target,
            self.verdict,
        )


def show(milliseconds: float) -> str:
    """Return a time in milliseconds, with more digits for short ones."""
    return f'{milliseconds:.{2 if milliseconds >= 0.1 else 4}f}'


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Return how long one call takes, as the mean of this many."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def compete(rivals: Rivals, rounds: int) -> Result:
    """Time both in turns, after a round to warm up."""
    works = (rivals.ours, rivals.other)
    for work in works:
        work()
    times = [max(1, round(MIN_ROUND / seconds(work))) for work in works]
    ours, other = [], []
    for number in range(rounds):
        pairs = list(zip(works, times, (ours, other), strict=True))
        # They take turns in being first.
        for work, repeats, taken in pairs[:: -1 if number % 2 else 1]:
            taken.append(seconds(work, repeats))
    return summarize(rivals, ours, other)


def summarize(
    rivals: Rivals, ours: Sequence[float], other: Sequence[float]
) -> Result:
    """Return the result for the times of each round, in seconds."""
    ratios = [
        b / a if rivals.faster else a / b
        for a, b in zip(ours, other, strict=True)
    ]
    ratio = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, method='inclusive')
    target, verdict = judge(rivals, ratio)
    return Result(
        rivals.name,
        statistics.median(ours) * 1e3 / rivals.per,
        statistics.median(other) * 1e3 / rivals.per,
        ratio,
        (low, high),
        target,
        verdict,
        len(ratios),
    )


def judge(rivals: Rivals, ratio: float) -> tuple[str, str]:
    """Return the target in words and whether the ratio meets it."""
    if rivals.target is None:
        return '', ''
    sign = '>=' if rivals.faster else '<='
    met = ratio >= rivals.target if rivals.faster else ratio <= rivals.target
    return f'{sign} {rivals.target:.2f}', 'met' if met else 'missed'


def table(results: Iterable[Result]) -> str:
    """Return the results as lines of aligned columns."""
    return columns([HEADER, *(result.cells() for result in results)])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines, the first column left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(
                zip(row, widths, strict=True)
            )
        ).rstrip()
        for row in rows
    )


def add_arguments(
    parser: argparse.ArgumentParser, rounds: int, example: str
) -> None:
    """Add the flags that all benchmarks have.

    Args:
        parser: The parser to add them to.
        rounds: Rounds of each case without ``--quick``.
        example: Names of cases that ``--only`` may be given.
    """
    add = parser.add_argument
    add(
        '--quick',
        action='store_true',
        help=f'3 rounds of each, instead of {rounds}',
    )
    add(
        '--only',
        nargs='+',
        default=[''],
        metavar='NAME',
        help='only cases whose name contains one of these, such as ' + example,
    )
    add('--threads', type=int, help='CPU threads to use')
    add('--json', help='file to write the results to')
    parser.set_defaults(rounds=rounds)


def run_benchmark(
    cases: Callable[[], Iterable[tuple[str, Callable[[], Rivals | Result]]]],
    description: str,
    rounds: int,
    example: str,
) -> None:
    """Read the command line, measure, print one table, and write it.

    Args:
        cases: Returns the first argument of :func:`run_cases`.
        description: What is measured, for ``--help``.
        rounds: Rounds of each case without ``--quick``.
        example: Names of cases that ``--only`` may be given.
    """
    parser = argparse.ArgumentParser(description=description)
    add_arguments(parser, rounds, example)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    run_cases(cases(), args)


def run_cases(
    cases: Iterable[tuple[str, Callable[[], Rivals | Result]]],
    args: argparse.Namespace,
) -> None:
    """Measure the cases asked for, print one table, and write it.

    Args:
        cases: Name of each, and a function that returns its rivals or result.
        args: With the flags of :func:`add_arguments`.
    """
    results = []
    for name, set_up in cases:
        if any(part in name for part in args.only):
            print(f'measuring {name} ...', flush=True)
            result = set_up()
            if isinstance(result, Rivals):
                result = compete(result, 3 if args.quick else args.rounds)
            results.append(result)
    print(*(f'{key} {value}' for key, value in machine().items()), sep=', ')
    print(table(results))
    if args.json:
        save(args.json, results)


def machine(threads: int | None = None) -> dict[str, str | int]:
    """Return what a reader must know about the machine."""
    cuda = torch.cuda.is_available()
    return dict(
        torch=torch.__version__,
        device=torch.cuda.get_device_name() if cuda else 'cpu',
        cpu=cpu_name(),
        threads=threads or torch.get_num_threads(),
    )


def cpu_name() -> str:
    """Return the processor's name, if the system has it."""
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        return platform.processor()
    name = re.search(r'^model name\s*: (.*)$', text, re.MULTILINE)
    return name[1] if name else platform.processor()


def save(
    path: str | Path,
    results: Iterable[Result],
    where: dict[str, str | int] | None = None,
) -> None:
    """Write the results, and the machine's data, as JSON."""
    rows = [asdict(result) for result in results]
    document = dict(machine=where or machine(), results=rows)
    Path(path).write_text(
        json.dumps(document, indent=2) + '\n', encoding='utf-8'
    )
