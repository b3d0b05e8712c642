"""Gather the runs of ofer_table10.sh into a table like the paper's table 10.

It reads ``DIR/CONFIG/seedN/{occluded,clean}.json`` and writes mean and sample
standard deviation over the seeds as Markdown, and all numbers as JSON.

Example: python tools/dev/gather_ofer.py work_dirs/ofer_table10 \
    --out work_dirs/ofer_table10/table
"""

import argparse
import json
import sys
from pathlib import Path

from gather_seeds import cell, find, summarize

FEATURES = {
    '-cnn': 'CNN',
    '-all': 'CNN + all latents',
    '': 'CNN + selected latents',
}
METRICS = {'top1': 'accuracy', 'mean': 'mean class accuracy'}
FILES = ('occluded', 'clean')


def read(folder: Path, config: str) -> dict[str, dict]:
    """Return the summary of each file of a config's runs.

    Raises:
        ValueError: If a run has only one of the files.
    """
    runs = {name: {} for name in FILES}
    for name in FILES:
        for path in sorted(folder.glob(f'{config}/seed*/{name}.json')):
            runs[name][path.parent.name] = json.loads(
                path.read_text(encoding='utf-8')
            )
    if len({frozenset(seeds) for seeds in runs.values()}) > 1:
        raise ValueError(f'{folder / config}: a run is not finished')
    return {name: summarize(seeds) for name, seeds in runs.items() if seeds}


def markdown(table: dict[str, dict], base: str) -> str:
    """Return the table."""
    heads = [f'{file}: {what}' for file in FILES for what in METRICS.values()]
    lines = [
        '| reconstructed | features | seeds | ' + ' | '.join(heads) + ' |',
        '|---' * (3 + len(heads)) + '|',
    ]
    for ending, reconstructed in (('-photo', 'no'), ('', 'yes')):
        for setting, features in FEATURES.items():
            runs = table.get(f'{base}{setting}{ending}')
            if not runs:
                continue
            cells = [
                cell(find(runs[file], metric), 1)
                for file in FILES
                for metric in METRICS
            ]
            seeds = find(runs[FILES[0]], 'top1')['seeds']
            row = [reconstructed, features, str(seeds), *cells]
            lines.append(f'| {" | ".join(row)} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Read, print and write."""
    parser = argparse.ArgumentParser(description='Gather ofer_table10.sh')
    parser.add_argument('folder', type=Path, help='work_dirs of the runs')
    parser.add_argument('--base', default='ofer_resnet18_cartoon')
    parser.add_argument('--out', type=Path, help='writes OUT.md and OUT.json')
    args = parser.parse_args()
    names = sorted(p.name for p in args.folder.glob(f'{args.base}*'))
    try:
        table = {name: read(args.folder, name) for name in names}
    except ValueError as error:
        sys.exit(str(error))
    if not any(table.values()):
        sys.exit(f'{args.folder} has no {args.base}*/seed*/occluded.json')
    text = markdown(table, args.base)
    print(text)
    if args.out:
        args.out.with_suffix('.md').write_text(text, encoding='utf-8')
        args.out.with_suffix('.json').write_text(
            json.dumps(table, indent=1), encoding='utf-8'
        )


if __name__ == '__main__':
    main()
