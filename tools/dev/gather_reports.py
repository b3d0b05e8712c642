"""Gather occlusion reports of several seeds: means, and spread over seeds.

Each report holds the same models, trained with another seed. The spread of a
difference is that of the differences within each seed.

Example: python tools/dev/gather_reports.py \
    work_dirs/voc12/seed0/report.json work_dirs/voc12/seed1/report.json \
    --out work_dirs/voc12/table.md
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

COLUMNS = ('L0', 'L1', 'L2', 'L3', 'L1-L3', 'mean')

Scores = dict[str, float]


def scores(cells: dict[str, dict]) -> Scores:
    """Return the columns of the table from a model's cells.

    ``mean`` is the plain mean of all cells, as the papers have it.
    """
    accuracy = {name: cell['accuracy'] for name, cell in cells.items()}
    levels = {
        level: statistics.fmean(
            x for name, x in accuracy.items() if name.split()[0] == level
        )
        for level in ('L0', 'L1', 'L2', 'L3')
    }
    hidden = statistics.fmean(x for n, x in accuracy.items() if n != 'L0')
    return levels | {
        'L1-L3': hidden,
        'mean': statistics.fmean(accuracy.values()),
    }


def read(paths: list[Path], ap50: bool = False) -> dict[str, list[Scores]]:
    """Return the scores of each model, one entry a report.

    Args:
        paths: JSON files of the reports.
        ap50: Whether they are detectors' and AP50 is asked for, not AP.

    Raises:
        ValueError: If the reports hold different models or cells.
    """
    table: dict[str, list[Scores]] = {}
    first = None
    for path in paths:
        found = json.loads(path.read_text(encoding='utf-8'))
        models = found.get('report', found)['models']  # of detectors, or not
        contents = {name: set(m['cells']) for name, m in models.items()}
        first = first or contents
        if contents != first:
            raise ValueError(
                f'{path} holds other models or cells than {paths[0]}'
            )
        for name, model in models.items():
            cells = model['cells']
            if ap50:
                cells = {key: cell['ap50'] for key, cell in cells.items()}
            table.setdefault(name, []).append(scores(cells))
    return table


def spread(values: list[float], sign: str = '') -> str:
    """Return mean and sample standard deviation as the table has them."""
    text = f'{statistics.fmean(values):{sign}.1f}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.1f}'
    return text


def markdown(table: dict[str, list[Scores]]) -> str:
    """Return the table; differences are from the first model."""
    baseline = next(iter(table.values()))
    lines = [
        f'| model | {" | ".join(COLUMNS)} | L1-L3, difference |',
        '|---|' + '---:|' * (len(COLUMNS) + 1),
    ]
    for name, runs in table.items():
        cells = [spread([run[column] for run in runs]) for column in COLUMNS]
        pairs = zip(runs, baseline, strict=True)
        gains = [one['L1-L3'] - other['L1-L3'] for one, other in pairs]
        last = '' if runs is baseline else spread(gains, '+')
        lines.append(f'| {name} | {" | ".join(cells)} | {last} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Read, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('reports', nargs='+', type=Path, help='JSON files')
    parser.add_argument('--out', type=Path, help='Markdown file to write')
    parser.add_argument(
        '--ap50', action='store_true', help="AP50 of detectors' reports"
    )
    args = parser.parse_args()
    try:
        text = markdown(read(args.reports, args.ap50))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f'cannot gather the reports: {error}')
    print(text)
    if args.out:
        args.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
