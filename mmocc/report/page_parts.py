"""What the page shows of a report's numbers: heat maps and class tables."""

from collections.abc import Iterable

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.cost import ALL_HARD, ALL_KINDS, hard_groups
from mmocc.report.statistics import cell_kinds
from mmocc.report.tables import shown, shown_ends
from mmocc.utils.class_labels import class_labels

FULL = 30.0  # points at which the colour of a difference is strongest


def heat_maps(report: dict) -> list[dict]:
    """Return a map of kinds by levels for each model, then of differences.

    Each has a ``title`` or names, its ``levels`` and ``rows``; a row has a
    ``kind`` and an entry, or None, for each level. ``clean`` is the entry
    without an occluder.
    """
    cells = list(next(iter(report['models'].values()))['cells'])
    maps = []
    for name, model in report['models'].items():
        made = heat_map(model['cells'], model['means'], cells)
        maps.append(dict(made, model=name, base=None))
    for name, model in report['models'].items():
        if versus := model.get('difference'):
            made = heat_map(versus, versus, cells)
            maps.append(dict(made, model=name, base=report['baseline']))
    return [made for made in maps if made['rows']]


def heat_map(numbers: dict, means: dict, cells: list[str]) -> dict:
    """Return one map, of numbers by cell and of means by level."""
    levels = [name for name in hard_groups(cells) if name != ALL_HARD]
    kinds = cell_kinds(cells)
    rows = []
    for kind in kinds or ['']:
        names = [f'{level} {kind}'.strip() for level in levels]
        rows.append(
            dict(
                kind=kind or 'occluded',
                entries=[heat_entry(numbers.get(name)) for name in names],
            )
        )
    if len(kinds) > 1:
        every = [heat_entry(means.get(level)) for level in levels]
        rows.append(dict(kind=ALL_KINDS, entries=every))
    return dict(
        levels=levels,
        rows=rows if levels else [],
        clean=heat_entry(numbers.get(CLEAN)),
    )


def heat_entry(numbers: dict | None) -> dict | None:
    """Return the text, interval and depth of colour of a number."""
    if numbers is None:
        return None
    signed = 'difference' in numbers
    value = numbers['difference' if signed else 'accuracy']
    low, high = numbers['interval']
    form = '+.1f' if signed else '.1f'
    sides = f'{shown(low, form)}{" to " if signed else "-"}{shown(high, form)}'
    depth = 0.0
    if value is not None:
        depth = min(abs(value) / (FULL if signed else 100), 1)
    return dict(
        text=shown(value, form),
        ends='' if low is None else sides,
        spread=numbers.get('spread'),
        depth=round(depth, 3),
        kind=sign_of(numbers) if signed else 'heat',
    )


def sign_of(numbers: dict) -> str:
    """Return ``good`` or ``bad`` where zero is outside an interval."""
    low, high = numbers['interval']
    if low is None or low <= 0 <= high:
        return ''
    return 'good' if low > 0 else 'bad'


def wide_rows(report: dict) -> list[dict]:
    """Return the rows of the wide table: each cell and mean of each model."""
    cells = list(next(iter(report['models'].values()))['cells'])
    ends, rows = shown_ends(report), []
    for key in ('means', 'difference'):
        for name, model in report['models'].items():
            if key not in model:
                continue
            own = model['cells'] if key == 'means' else model[key]
            numbers = [own[cell] for cell in cells]
            numbers += [model[key][end] for end in ends]
            base = report['baseline'] if key == 'difference' else None
            entries = [heat_entry(entry) for entry in numbers]
            rows.append(dict(model=name, base=base, entries=entries))
    return rows


def class_rows(report: dict) -> list[dict]:
    """Return the classes, those that lose most first.

    For each model in turn, ``numbers`` has the clean accuracy, the mean
    occluded one, and what is lost, or None. Rows are in the order of the
    first model's loss. Classes are known by number; one without an image has
    no row.
    """
    models = [
        {cell: numbers['per_class'] for cell, numbers in m['cells'].items()}
        for m in report['models'].values()
    ]
    images = report.get('class_images') or {}
    rows = []
    for label, name in enumerate(class_labels(report['classes'])):
        values: list[float | None] = []
        for cells in models:
            found = {cell: v.get(str(label)) for cell, v in cells.items()}
            values += _class_numbers(found.pop(CLEAN, None), found.values())
        if any(value is not None for value in values):
            count = images.get(str(label))
            rows.append(dict(name=name, images=count, numbers=values))

    def order(row: dict) -> float:
        """Return what puts the largest loss first, and none last."""
        loss = row['numbers'][2]
        return np.inf if loss is None else -loss

    return sorted(rows, key=order)


def _class_numbers(
    clean: float | None, hidden: Iterable[float | None]
) -> list[float | None]:
    """Return clean and mean occluded accuracy of a class, and its loss."""
    hard = [value for value in hidden if value is not None]
    mean = float(np.mean(hard)) if hard else None
    loss = None if clean is None or mean is None else clean - mean
    return [clean, mean, loss]
