"""Two reports side by side: a new one and an earlier one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmocc.occlusion import CLEAN
from mmocc.report.cost import ALL_HARD, hard_groups
from mmocc.report.detector_tables import REAL, main_metric
from mmocc.report.page_parts import heat_map
from mmocc.report.page_words import levels_words
from mmocc.report.statistics import cell_groups
from mmocc.report.tables import measured, shown
from mmocc.utils.files import read_json

# What of the settings must be the same for numbers to be comparable.
SETTINGS = (
    'seed',
    'every',
    'region',
    'texture bank',
    'object bank',
    'texture bank digest',
    'object bank digest',
    'occlusion version',
)


def read_report(path: str | Path) -> dict:
    """Read ``occlusion.json`` or ``det_occlusion.json`` of any version.

    Older files of detectors have neither intervals nor means; their main
    metric stands for AP.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no report.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; name the occlusion.json (or '
            'det_occlusion.json) of an earlier report'
        )
    try:
        content = read_json(path)
        content = content.get('report', content)
        models = content['models']
        first = next(iter(models.values()))
        if 'means' not in first:
            return _old_detectors(content)
        for model in models.values():
            for numbers in (
                *model['cells'].values(),
                *model['means'].values(),
            ):
                _ = numbers['accuracy'], numbers['interval']
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        raise ValueError(
            f'{path} is no report of mmocc; name the occlusion.json (or '
            'det_occlusion.json) of an earlier report'
        ) from None
    return content


def named_report(path: str | Path) -> tuple[str, dict]:
    """Return the name of a file and the report in it."""
    return str(path), read_report(path)


def _old_detectors(content: Mapping[str, Any]) -> dict:
    """Return detectors' results without intervals in the form of a report."""
    models = {}
    for name, cells in content['models'].items():
        key = main_metric(cells)
        values = {
            cell: max(100 * metrics[key], 0)
            for cell, metrics in cells.items()
            if cell != REAL
        }
        models[name] = dict(
            cells={c: _plain(value) for c, value in values.items()},
            means={
                group: _plain(sum(values[c] for c in members) / len(members))
                for group, members in cell_groups(values).items()
            },
        )
    meta = content.get('meta') or {}
    return dict(meta=meta, measure='ap', models=models)


def _plain(value: float) -> dict:
    """Return a number without an interval."""
    return dict(accuracy=value, interval=[None, None])


def compare_parts(new: dict, earlier: tuple[str, dict]) -> dict[str, Any]:
    """Return what the page shows of two reports.

    Args:
        new: Numbers of the report.
        earlier: Name and numbers of the earlier one, as :func:`read_report`
            gives them.

    Returns:
        Its ``name``, ``rows`` of all models in one of the two, ``maps`` of
        those in both, and ``notes`` on what else differs.
    """
    name, old = earlier
    both = [model for model in new['models'] if model in old['models']]
    return dict(
        name=name,
        rows=compare_rows(new, old),
        levels=levels_words(new),
        maps=[
            dict(model=model, old=_map(old, model), new=_map(new, model))
            for model in both
        ],
        notes=compare_notes(new, old),
    )


def _map(report: dict, model: str) -> dict:
    """Return the heat map of a model."""
    numbers = report['models'][model]
    return heat_map(numbers['cells'], numbers['means'], list(numbers['cells']))


def compare_rows(new: dict, old: dict) -> list[dict]:
    """Return old, new and change of each model, clean and occluded."""
    rows = []
    for model in dict.fromkeys([*new['models'], *old['models']]):
        texts = []
        for group in (CLEAN, ALL_HARD):
            before = _mean(old, model, group)
            after = _mean(new, model, group)
            known = before is not None and after is not None
            change = after - before if known else None  # type: ignore
            texts += [shown(before), shown(after), shown(change, '+.1f')]
        rows.append(dict(model=model, texts=texts))
    return rows


def _mean(report: dict, model: str, group: str) -> float | None:
    """Return a mean of a model, None if the report has none."""
    means = report['models'].get(model, {}).get('means', {})
    return means.get(group, {}).get('accuracy')


def compare_notes(new: dict, old: dict) -> list[str]:
    """Return what makes two reports less comparable, in sentences."""
    notes = []
    if measured(new) != measured(old):
        notes.append(
            f'The earlier report is of {measured(old)}, this one of '
            f'{measured(new)}: their numbers do not compare.'
        )
    for key in SETTINGS:
        values = [(r.get('meta') or {}).get(key) for r in (old, new)]
        if None not in values and values[0] != values[1]:
            notes.append(f'{key}: was {values[0]}, is {values[1]}.')
    cells = [
        list(next(iter(r['models'].values()))['cells']) for r in (old, new)
    ]
    if set(cells[0]) != set(cells[1]):
        words = [', '.join(_levels(part)) for part in cells]
        notes.append(
            f'The cells differ (was: {words[0]}; is: {words[1]}), and so do '
            'the means.'
        )
    counts = [
        {m.get('images') for m in r['models'].values()} for r in (old, new)
    ]
    if None not in counts[0] | counts[1] and counts[0] != counts[1]:
        words = [', '.join(map(str, sorted(part))) for part in counts]
        notes.append(f'Images tested: were {words[0]}, are {words[1]}.')
    return notes


def _levels(cells: list[str]) -> list[str]:
    """Return the names of cells, by level."""
    groups = hard_groups(cells)
    groups.pop(ALL_HARD, None)
    clean = [CLEAN] if CLEAN in cells else []
    return clean + [
        f'{level} {"/".join(c.partition(" ")[2] or "-" for c in members)}'
        for level, members in groups.items()
    ]
