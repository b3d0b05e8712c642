"""Tables of a study of parts: a row for each method, means never pooled."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.apis.part_study import METHODS

COLUMNS = {  # metric: heading; shares are shown in percent
    'image_auroc': 'image AUROC',
    'image_f1_max': 'image F1-max',
    'pixel_auroc': 'pixel AUROC',
    'aupro': 'AUPRO',
    'aupimo': 'AUPIMO',
    'pixel_f1_max': 'pixel F1-max',
    'false_alarms': 'false alarms',
    'found': 'found',
}
COSTS = {'fit_s': 'fit s', 'test_ms': 'ms an image', 'model_mb': 'MB'}
ALL = 'mean of categories'

Results = Sequence[Mapping[str, Any]]  # of mmocc.apis.part_study.study
Rows = list[dict[str, str]]


def method_table(results: Results) -> Rows:
    """Return the table of methods, with the means over categories.

    Cells are texts: percent, or the costs as they are; mean ± deviation over
    the seeds where there are several.
    """
    categories = list(dict.fromkeys(_key(one, 'category') for one in results))
    rows = [
        _row(category, method, _metrics(results, method, [category]))
        for category in categories
        for method in _methods(results)
    ]
    if len(categories) > 1:
        rows += [
            _row(ALL, method, _metrics(results, method, categories))
            for method in _methods(results)
        ]
    return rows


def kind_table(results: Results, metric: str = 'image_auroc') -> Rows:
    """Return a metric in percent by kind of defect, a column a method."""
    rows: dict[str, dict[str, str]] = {}
    for result in results:
        category = _key(result, 'category')
        for key in result['values']:
            place, _, name = key.rpartition('/')
            if name == 'images' and place.startswith(f'{category}/'):
                kind = place.removeprefix(f'{category}/')
                images = str(int(result['values'][key]))
                row = dict(category=category, kind=kind, images=images)
                rows[place] = row
    for method in _methods(results):
        for place, row in rows.items():
            values = [
                100 * result['values'][f'{place}/{metric}']
                for result in results
                if _key(result, 'method') == method
                and f'{place}/{metric}' in result['values']
            ]
            row[METHODS[method]] = _text(values)
    return list(rows.values())


def _key(result: Mapping[str, Any], name: str) -> Any:
    return result['asked'][name]


def _methods(results: Results) -> list[str]:
    """Return the methods that have results, in the order of the table."""
    done = {_key(result, 'method') for result in results}
    return [method for method in METHODS if method in done]


def _metrics(
    results: Results, method: str, categories: Sequence[str]
) -> dict[str, list[float]]:
    """Return for each metric its mean over categories, for each seed."""
    own = [one for one in results if _key(one, 'method') == method]
    by_seed: dict[str, list[float]] = {}
    for seed in dict.fromkeys(_key(one, 'seed') for one in own):
        parts = [
            _whole(one)
            for one in own
            if _key(one, 'seed') == seed
            and _key(one, 'category') in categories
        ]
        for name in dict.fromkeys(key for part in parts for key in part):
            values = [part[name] for part in parts if name in part]
            by_seed.setdefault(name, []).append(float(np.mean(values)))
    return by_seed


def _whole(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of a category as a whole, and the costs."""
    prefix, values = f'{_key(result, "category")}/', result['values']
    own = {name: values.get(prefix + name) for name in COLUMNS}
    own |= {name: values.get(name) for name in COSTS}
    return {name: value for name, value in own.items() if value is not None}


def _row(
    category: str, method: str, metrics: Mapping[str, Sequence[float]]
) -> dict[str, str]:
    """Return a row of texts."""
    row = dict(category=category, method=METHODS[method])
    for name, heading in (COLUMNS | COSTS).items():
        factor = 100 if name in COLUMNS else 1
        row[heading] = _text([factor * x for x in metrics.get(name, ())])
    return row


def _text(values: Sequence[float]) -> str:
    """Return a mean, with the deviation of several; '' of none."""
    if not values:
        return ''
    text = f'{np.mean(values):.1f}'
    return (
        text if len(values) < 2 else f'{text} ± {np.std(values, ddof=1):.1f}'
    )


def markdown(rows: Rows) -> str:
    """Return rows of texts as a table in Markdown."""
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    lines = ['| ' + ' | '.join(row) + ' |' for row in cells]
    lines.insert(1, '|' + '---|' * len(rows[0]))
    return '\n'.join(lines)


def write_tables(results: Results, out: Path, notes: str) -> str:
    """Write ``table.md``, ``table.csv`` and ``kinds.csv``; return the text."""
    methods, kinds = method_table(results), kind_table(results)
    text = f'{markdown(methods)}\n\n{notes}\n'
    if kinds:
        text += f'\nImage AUROC by kind of defect:\n\n{markdown(kinds)}\n'
    out.mkdir(parents=True, exist_ok=True)
    (out / 'table.md').write_text(text, encoding='utf-8')
    for name, rows in (('table.csv', methods), ('kinds.csv', kinds)):
        with (out / name).open('w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)
    return text
