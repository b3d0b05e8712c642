"""The numbers of the report as tables for a terminal of 100 columns."""

from collections.abc import Sequence

from mmocc.occlusion import CLEAN
from mmocc.report.tables import (
    HEADS,
    measured,
    shown,
    shown_ends,
    with_interval,
)

WIDTH = 100
SHORTEST = 12  # letters of a model's name
GAP = '  '


def printed_tables(report: dict, width: int = WIDTH) -> str:
    """Return two tables: the levels, with intervals, and each kind by level.

    Long names of models are cut in the middle.

    Args:
        report: As of ``summarise``.
        width: Columns that no line exceeds, if there are four kinds at most.
    """
    parts = [_by_level(report, width)]
    kinds = _kinds(report)
    if len(kinds) > 1:
        parts.append(_by_kind(report, kinds, width))
    return '\n\n'.join(parts)


def short_names(names: Sequence[str], room: int) -> list[str]:
    """Return names of at most so many letters, cut in the middle.

    Names that would be the same are numbered at their cut.
    """
    cut: list[str] = []
    for number, name in enumerate(names, 1):
        short = _cut(name, room, '...')
        if short in cut:
            short = _cut(name, room, f'.{number}.')
        cut.append(short)
    return cut


def _cut(name: str, room: int, mark: str) -> str:
    """Return a name without its middle, if it is too long."""
    if len(name) <= room:
        return name
    tail = (room - len(mark)) // 2
    return name[: room - len(mark) - tail] + mark + name[-tail:]


def _by_level(report: dict, width: int) -> str:
    """Return the table of clean accuracy, levels and means."""
    means = next(iter(report['models'].values()))['means']
    ends = shown_ends(report)
    levels = [name for name in means if name not in ends]
    rows = [
        [_value(numbers[level]) for level in levels]
        + [with_interval(numbers[end]) for end in ends]
        for numbers in _entries(report, 'means')
    ]
    heads = [HEADS[measured(report)], *levels, *ends]
    return _lay_out([heads], report, rows, width)


def _by_kind(report: dict, kinds: list[str], width: int) -> str:
    """Return the table of the occluded cells."""
    cells = next(iter(report['models'].values()))['cells']
    names = [
        [cell for cell in cells if cell.endswith(f' {kind}')] for kind in kinds
    ]
    order = [cell for group in names for cell in group]
    rows = [
        [_value(numbers[cell]) for cell in order]
        for numbers in _entries(report, 'cells')
    ]
    firsts = {group[0]: kind for group, kind in zip(names, kinds, strict=True)}
    top = ['', *(firsts.get(cell, '') for cell in order)]
    heads = ['', *(cell.partition(' ')[0] for cell in order)]
    return _lay_out([top, heads], report, rows, width)


def _kinds(report: dict) -> list[str]:
    """Return the kinds of occluders of a report, in order."""
    cells = next(iter(report['models'].values()))['cells']
    kinds = (cell.partition(' ')[2] for cell in cells if cell != CLEAN)
    return list(dict.fromkeys(kinds))


def _entries(report: dict, key: str) -> list[dict]:
    """Return numbers by cell or mean, of models and then of differences."""
    models = report['models'].values()
    entries = [summary[key] for summary in models]
    return entries + [s['difference'] for s in models if 'difference' in s]


def _value(numbers: dict) -> str:
    """Return an accuracy, or a difference with its sign."""
    if 'difference' in numbers:
        return shown(numbers['difference'], '+.1f')
    return shown(numbers['accuracy'])


def _lay_out(
    heads: list[list[str]], report: dict, rows: list[list[str]], width: int
) -> str:
    """Return rows of texts in columns, named after models and differences."""
    body = [head[1:] for head in heads] + rows
    sizes = [max(map(len, column)) for column in zip(*body, strict=True)]
    longest = max(map(len, report['models']))
    wide = sum(sizes) + len(GAP) * len(sizes) + longest <= width
    gap = GAP if wide else ' '
    room = width - sum(sizes) - len(gap) * len(sizes)
    firsts = [head[0] for head in heads] + _row_names(report, room)
    left = max(map(len, firsts))
    lines = []
    for first, texts in zip(firsts, body, strict=True):
        cells = [t.rjust(size) for t, size in zip(texts, sizes, strict=True)]
        lines.append(gap.join([first.ljust(left), *cells]).rstrip())
    return '\n'.join(lines)


def _row_names(report: dict, room: int) -> list[str]:
    """Return the names of models, and of their differences from the first."""
    models = report['models']
    side = max((room - 3) // 2, SHORTEST // 2)
    halves = short_names(list(models), side)
    minus = []
    for name, half in zip(models, halves, strict=True):
        if 'difference' in models[name]:
            whole = f'{name} - {report["baseline"]}'
            short = f'{half} - {halves[0]}'
            minus.append(whole if len(whole) <= room else short)
    return short_names(list(models), max(room, SHORTEST)) + minus
