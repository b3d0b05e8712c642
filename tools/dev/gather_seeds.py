"""Gather runs of several seeds into a table: mean and spread of each metric.

Reads ``DIR/CONFIG/seedN/metrics.json`` as ``tools/test.py --out FILE
--out-item metrics`` writes it; ``CONFIG`` is ``MODEL_SETTING_DATA``. Writes a
Markdown table for each model and data set, and all figures as JSON.

Example: python tools/dev/gather_seeds.py work_dirs/has_small \
    --out work_dirs/has_small/table
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path

PERCENT = 100
SCORES = ('pearson', 'mse', 'ssim', 'latent', 'confidence', 'zscore', 'rank')
# Metric in the file, its name in the table, and its factor. Each family with a
# metric in any run has its own table.
FAMILIES = (
    {
        'gt_known_loc': ('GT-known Loc', 1),
        'top1_loc': ('Top-1 Loc', 1),
        'top1_clas': ('Top-1 Clas', 1),
        'v2': ('MaxBoxAccV2', 1),
        'localization_aligned/gt_known_loc': ('GT-known Loc, aligned', 1),
        'localization_aligned/top1_loc': ('Top-1 Loc, aligned', 1),
        'max_box_acc_aligned/v2': ('MaxBoxAccV2, aligned', 1),
    },
    {
        'coco/bbox_mAP': ('AP', PERCENT),
        'coco/bbox_mAP_50': ('AP50', PERCENT),
        'coco/bbox_mAP_75': ('AP75', PERCENT),
        'coco90/bbox_mAP': ('AP90', PERCENT),
        'pascal_voc/AP90': ('AP90, VOC', PERCENT),
    },
    {
        'detected_normal': ('detected, known', PERCENT),
        'detected_anomaly': ('detected, anomalous', PERCENT),
        'pearson_normal': ('Pearson, known', 1),
        'pearson_anomaly': ('Pearson, anomalous', 1),
        'separation': ('separation', 1),
        'pixel_auroc': ('pixel AUROC', PERCENT),
        'aupro': ('AUPRO', PERCENT),
    },
    {f'{s}_auroc': (f'AUROC {s}', PERCENT) for s in SCORES},
    {f'{s}_auroc_all': (f'AUROC all {s}', PERCENT) for s in SCORES},
    {f'{s}_image_auroc': (f'AUROC pages {s}', PERCENT) for s in SCORES},
)


def read_runs(folder: Path) -> dict[str, dict[str, dict]]:
    """Return metrics by configuration and seed.

    Raises:
        ValueError: If a file is not JSON.
    """
    runs = {}
    for path in sorted(folder.glob('*/seed*/metrics.json')):
        try:
            metrics = json.loads(path.read_text(encoding='utf-8'))
        except json.JSONDecodeError as error:
            raise ValueError(f'{path} is no JSON file: {error}') from None
        seeds = runs.setdefault(path.parent.parent.name, {})
        seeds[path.parent.name.removeprefix('seed')] = metrics
    return runs


def setting_order(name: str) -> tuple:
    """Sort ``cam`` first, then patches by size, then what has no number."""
    number = re.search(r'\d+', name)
    return (name != 'cam', number is None, int(number[0]) if number else 0)


def summarize(seeds: dict[str, dict]) -> dict[str, dict]:
    """Return mean, sample standard deviation and number for each metric.

    Raises:
        ValueError: If a seed lacks a metric of another one.
    """
    names = {name for metrics in seeds.values() for name in metrics}
    summary = {}
    for name in sorted(names):
        missing = [s for s, metrics in seeds.items() if name not in metrics]
        if missing:
            raise ValueError(f'seed {", ".join(missing)} lacks {name}')
        values = [metrics[name] for metrics in seeds.values()]
        if not all(isinstance(value, int | float) for value in values):
            continue
        summary[name] = dict(
            mean=statistics.fmean(values),
            std=statistics.stdev(values) if len(values) > 1 else None,
            seeds=len(values),
        )
    return summary


def cell(entry: dict | None, factor: float) -> str:
    """Return a metric as the table has it."""
    if entry is None:
        return '-'
    spread = entry['std']
    spread = '' if spread is None else f' ± {factor * spread:.2f}'
    return f'{factor * entry["mean"]:.2f}{spread}'


def markdown(table: dict[str, dict[str, dict]]) -> str:
    """Return tables for each model and data set."""
    groups = {}
    for config, summary in table.items():
        model, setting, data = config.split('_')
        groups.setdefault((model, data), {})[setting] = summary
    parts = []
    for (model, data), settings in groups.items():
        parts += [f'**{model}, {data}**', '']
        for columns in FAMILIES:
            runs = settings.values()
            if any(find(run, name) for run in runs for name in columns):
                parts += [*family_table(settings, columns), '']
    return '\n'.join(parts)


def family_table(
    settings: dict[str, dict[str, dict]], columns: dict[str, tuple]
) -> list[str]:
    """Return the lines of one table, a row for each setting."""
    titles = ' | '.join(title for title, _ in columns.values())
    lines = [
        f'| setting | seeds | {titles} |',
        '|---' * (2 + len(columns)) + '|',
    ]
    for setting in sorted(settings, key=setting_order):
        summary = settings[setting]
        seeds = max(entry['seeds'] for entry in summary.values())
        cells = [
            cell(find(summary, name), factor)
            for name, (_, factor) in columns.items()
        ]
        lines.append(f'| {setting} | {seeds} | {" | ".join(cells)} |')
    return lines


def find(summary: dict[str, dict], name: str) -> dict | None:
    """Return a metric, whatever prefix its evaluator gave it.

    A name with a prefix is looked for as it is.
    """
    for key, entry in summary.items():
        if name in (key, key.rpartition('/')[2]):
            return entry
    return None


def main() -> None:
    """Read, print and write."""
    parser = argparse.ArgumentParser(description='Gather runs of seeds')
    parser.add_argument('folder', type=Path, help='work_dirs of the runs')
    parser.add_argument('--out', type=Path, help='writes OUT.md and OUT.json')
    args = parser.parse_args()
    try:
        runs = read_runs(args.folder)
        table = {config: summarize(seeds) for config, seeds in runs.items()}
    except ValueError as error:
        sys.exit(str(error))
    if not table:
        sys.exit(f'{args.folder} has no */seed*/metrics.json')
    text = markdown(table)
    print(text)
    if args.out:
        args.out.with_suffix('.md').write_text(text, encoding='utf-8')
        args.out.with_suffix('.json').write_text(
            json.dumps(table, indent=1), encoding='utf-8'
        )


if __name__ == '__main__':
    main()
