"""All benchmarks in one table, compared with an earlier one if there is one.

    python -m benchmarks [NAME ...] [--quick] [--only CASE ...] [--threads N]
                         [--json FILE] [--compare FILE]

Each benchmark runs in its own process, one after the other, as
``python -m benchmarks.NAME`` does. ``--json`` writes the table; ``--compare``
reads one and adds the earlier ratios. Times are compared only if they come
from the same machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Result, columns, machine, save, table

FOLDER = Path(__file__).parent
HELPERS = (  # and those that compare with no rival
    '__init__', '__main__', 'coverage', 'levels', 'memory', 'report_page',
    'timing',
)  # fmt: skip
SAME = ('torch', 'device', 'cpu', 'threads')  # of machine(), for times

Earlier = dict[str, Result]


def names() -> list[str]:
    """Return the names of all benchmarks."""
    stems = sorted(path.stem for path in FOLDER.glob('*.py'))
    return [name for name in stems if name not in HELPERS]


def load(path: str | Path) -> tuple[dict[str, str | int], Earlier]:
    """Return the machine and the results, by name, of a stored table.

    Raises:
        ValueError: If ``--json`` did not write the file.
    """
    try:
        document = json.loads(Path(path).read_text(encoding='utf-8'))
        results = [Result(**row) for row in document['results']]
        return document['machine'], {r.name: r for r in results}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is no table that --json wrote: {error!r}'
        ) from None


def measure(name: str, args: argparse.Namespace, folder: str) -> Earlier:
    """Run a benchmark in its own process.

    Raises:
        RuntimeError: If it fails.
    """
    path = Path(folder) / f'{name}.json'
    command = [sys.executable, '-m', f'benchmarks.{name}', '--json', str(path)]
    command += ['--quick'] if args.quick else []
    command += ['--only', *args.only] if args.only else []
    command += ['--threads', str(args.threads)] if args.threads else []
    print(f'== {name}', flush=True)
    if subprocess.run(command).returncode:
        raise RuntimeError(f'{" ".join(command)} failed')
    return load(path)[1]


def compare(
    results: list[Result],
    here: dict[str, str | int],
    earlier: Earlier,
    there: dict[str, str | int],
) -> str:
    """Return a table of earlier and new ratios, and how they changed.

    Args:
        results: The new ones.
        here: The machine of the new ones.
        earlier: The earlier ones by name.
        there: Their machine.
    """
    differing = [key for key in SAME if here.get(key) != there.get(key)]
    rows = [('what', 'earlier ratio', 'ratio', 'earlier ms', 'ours ms', '')]
    for new in results:
        old = earlier.get(new.name)
        if old is None:
            rows.append((new.name, '', f'{new.ratio:.3f}', '', '', 'new'))
            continue
        times = [f'{r.ours_ms:.2f}' for r in (old, new)]
        rows.append(
            (
                new.name,
                f'{old.ratio:.3f}',
                f'{new.ratio:.3f}',
                *(('', '') if differing else times),
                change(old, new),
            )
        )
    lines = [columns(rows)]
    gone = sorted(set(earlier) - {result.name for result in results})
    lines += [f'not measured now: {name}' for name in gone]
    for key in differing:
        lines.append(f'{key}: {there.get(key)} then, {here.get(key)} now')
    if differing:
        lines.append('Not the same machine: only ratios are compared.')
    return '\n'.join(lines)


def change(old: Result, new: Result) -> str:
    """Return how a ratio changed, if it is outside the spread of both."""
    if new.verdict != old.verdict:
        return f'{old.verdict or "no target"} -> {new.verdict or "no target"}'
    (a, b), (c, d) = old.middle_half, new.middle_half
    return 'unchanged' if a <= d and c <= b else 'changed'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Run all benchmarks', prog='python -m benchmarks'
    )
    add = parser.add_argument
    add('names', nargs='*', metavar='NAME', help=', '.join(names()))
    add('--quick', action='store_true', help='three rounds of each case')
    add('--only', nargs='+', metavar='CASE', help='cases, as each has them')
    add('--threads', type=int, help='CPU threads to use')
    add('--json', help='file to write the table to')
    add('--compare', help='file of an earlier --json')
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(names()))
    if unknown:
        parser.error(
            f'no benchmark {", ".join(unknown)}; '
            f'there are {", ".join(names())}'
        )
    args.names = args.names or names()
    return args


def main() -> None:
    """Run them, print one table, write and compare it."""
    args = parse_args()
    # Read it first: an error must not come after hours of measuring.
    stored = load(args.compare) if args.compare else None
    results, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.names:
            try:
                results += measure(name, args, folder).values()
            except RuntimeError as error:
                failed.append(str(error))
    here = machine(args.threads)
    print(*(f'{key} {value}' for key, value in here.items()), sep=', ')
    print(table(results))
    if args.json:
        save(args.json, results, here)
    if stored:
        there, earlier = stored
        print(compare(results, here, earlier, there))
    if failed:
        sys.exit('\n'.join(failed))


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
