"""Tables and files of detectors' results by occlusion cell."""

import csv
import math
from pathlib import Path

from mmocc.report.tables import as_markdown, write_json

REAL = 'real occlusion'
COUNTS = ('objects', 'inside', 'below', 'too_small', 'ignored', 'mean_share')

CellMetrics = dict[str, dict[str, float]]  # results of run_det_cell


def main_metric(cells: CellMetrics) -> str:
    """Return the metric of a table: the first that ends in mAP, else in AP.

    Else it is the first of all.
    """
    first = next(iter(cells.values()))
    names = [name for name in first if not name.startswith('occlusion/')]
    for end in ('mAP', 'AP', ''):
        for name in names:
            if name.endswith(end):
                return name
    raise ValueError('the first cell has no metric')


def det_markdown_table(
    models: dict[str, CellMetrics], metric: str | None = None
) -> str:
    """Return a Markdown table in percent: models by cells.

    It shows each model's main metric if no other is named.
    """
    every = dict.fromkeys(n for cells in models.values() for n in cells)
    names = [name for name in every if name != REAL]
    rows = [['model', 'metric', *names], ['---'] * 2 + ['---:'] * len(names)]
    for model, cells in models.items():
        key = metric or main_metric(cells)
        values = [_percent(cells.get(name, {}).get(key)) for name in names]
        rows.append([model, key, *values])
    return as_markdown(rows)


def counts_markdown_table(cells: CellMetrics) -> str:
    """Return a Markdown table of how many objects each cell reached.

    The counts are the same for every model on the same test set.
    """
    rows = [['cell', *COUNTS], ['---'] + ['---:'] * len(COUNTS)]
    for name, values in cells.items():
        if 'occlusion/objects' in values:
            *counts, share = (values[f'occlusion/{key}'] for key in COUNTS)
            text = '-' if math.isnan(share) else f'{share:.3f}'
            rows.append([name, *map(str, counts), text])
    return as_markdown(rows)


def recall_markdown_table(models: dict[str, CellMetrics]) -> str:
    """Return a Markdown table of the recall of really occluded objects."""
    recalls = {model: cells.get(REAL, {}) for model, cells in models.items()}
    rows = [['metric', *recalls], ['---'] + ['---:'] * len(recalls)]
    for key in dict.fromkeys(k for cell in recalls.values() for k in cell):
        values = [cell.get(key) for cell in recalls.values()]
        rows.append([key, *('-' if v is None else f'{v:.4g}' for v in values)])
    return as_markdown(rows)


def write_det_results(
    models: dict[str, CellMetrics],
    meta: dict,
    out_dir: str | Path,
    report: dict | None = None,
) -> None:
    """Write ``det_occlusion.json``, ``.csv`` and ``.md`` into a folder.

    In the JSON file, ``null`` stands for what is not a finite number; what
    the page shows is under ``report``, if there is a page.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    content = dict(meta=meta, models=models)
    if report is not None:
        content['report'] = report
    write_json(content, out_dir / 'det_occlusion.json')
    with (out_dir / 'det_occlusion.csv').open(
        'w', newline='', encoding='utf-8'
    ) as file:
        writer = csv.writer(file)
        writer.writerow(['model', 'cell', 'metric', 'value'])
        for model, cells in models.items():
            for cell, values in cells.items():
                rows = ([model, cell, *item] for item in values.items())
                writer.writerows(rows)
    text = det_markdown_table(models) + '\n'
    if any(REAL in cells for cells in models.values()):
        text += f'\nReally occluded:\n\n{recall_markdown_table(models)}\n'
    for model, cells in models.items():
        if any('occlusion/objects' in values for values in cells.values()):
            table = counts_markdown_table(cells)
            text += f'\nObjects, {model}:\n\n{table}\n'
    (out_dir / 'det_occlusion.md').write_text(text, encoding='utf-8')


def _percent(value: float | None) -> str:
    """Return a share in percent; a dash where there is none."""
    if value is None or not math.isfinite(value) or value < 0:
        return '-'  # COCO's evaluation gives -1 where there is no object
    return f'{100 * value:.1f}'
