"""The page of detectors: the same as that of classifiers, with boxes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmocc.report.det_matching import DRAWS
from mmocc.report.detector_tables import COUNTS, REAL, CellMetrics
from mmocc.report.page import common_parts, render
from mmocc.report.tables import shown, with_interval


def write_det_report(
    report: dict,
    metrics: Mapping[str, CellMetrics],
    examples: Sequence[dict],
    path: str | Path,
    title: str,
    old: tuple[str, dict] | None = None,
) -> None:
    """Write the page of detectors.

    Args:
        report: As of ``summarise_detectors``.
        metrics: What the evaluators gave, by model and cell.
        examples: What ``make_det_example`` gives, in order.
        path: Of the page.
        title: Of the page.
        old: Name and numbers of an earlier report, to be shown beside.
    """
    render(
        'detector_report.html',
        path,
        **common_parts(report, examples, title, old),
        draws=DRAWS,
        ap50=ap50_rows(report),
        sizes=size_rows(report),
        own=own_rows(metrics),
        counts=count_rows(metrics),
        real=real_rows(metrics),
    )


def ap50_rows(report: dict) -> list[list[str]]:
    """Return AP50 by model, in each cell and mean."""
    models = report['models']
    first = next(iter(models.values()))
    names = [('cells', cell) for cell in first['cells']]
    names += [
        ('means', end) for end in ('mean', 'L1-L3') if end in first['means']
    ]
    rows = [['AP50, %', *(name for _, name in names)]]
    for model, summary in models.items():
        numbers = [summary[key][name]['ap50'] for key, name in names]
        rows.append([model, *map(with_interval, numbers)])
    return rows


def size_rows(report: dict) -> list[list[str]]:
    """Return the recall by size of the object and level."""
    models = report['models']
    groups = list(next(iter(models.values()))['sizes']['small'])
    rows = [['recall, %', 'objects', *groups]]
    for model, summary in models.items():
        for size, numbers in summary['sizes'].items():
            counts = [entry['objects'] for entry in numbers.values()]
            if any(counts):
                texts = [with_interval(entry) for entry in numbers.values()]
                rows.append([f'{model}, {size}', str(counts[0]), *texts])
    return rows


def own_rows(metrics: Mapping[str, CellMetrics]) -> list[list[str]]:
    """Return all numbers of the configs' own evaluators, by cell."""
    cells = dict.fromkeys(c for m in metrics.values() for c in m if c != REAL)
    rows = [['metric', *cells]]
    for model, found in metrics.items():
        names = dict.fromkeys(n for cell in found.values() for n in cell)
        for name in names:
            if name.startswith('occlusion/') or name in found.get(REAL, {}):
                continue
            values = [found.get(cell, {}).get(name) for cell in cells]
            rows.append([f'{model}, {name}', *map(_number, values)])
    return rows


def _number(value: Any) -> str:
    """Return a metric as text; a dash for none, and for COCO's -1."""
    if not isinstance(value, int | float) or value != value or value < 0:
        return '-'
    return shown(float(value), '.3f')


def count_rows(metrics: Mapping[str, CellMetrics]) -> list[list[str]]:
    """Return how many objects each cell has reached, of the first model.

    They are the same for every model on the same test set.
    """
    rows = [['cell', *(name.replace('_', ' ') for name in COUNTS)]]
    for cell, values in next(iter(metrics.values())).items():
        if 'occlusion/objects' in values:
            *counts, share = (values[f'occlusion/{key}'] for key in COUNTS)
            texts = [str(int(count)) for count in counts]
            rows.append([cell, *texts, _number(share)])
    return rows


def real_rows(metrics: Mapping[str, CellMetrics]) -> list[list[str]]:
    """Return the recall of really occluded objects, if it was measured."""
    found = {model: cells.get(REAL, {}) for model, cells in metrics.items()}
    names = dict.fromkeys(name for cell in found.values() for name in cell)
    rows = [['recall of really occluded objects', *found]]
    for name in names:
        values = [cell.get(name) for cell in found.values()]
        rows.append(
            [name, *('-' if v is None else f'{v:.4g}' for v in values)]
        )
    return rows if names else []
