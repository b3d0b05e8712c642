"""What occlusion costs a model: its clean accuracy minus the occluded one."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mmocc.occlusion import CLEAN, HARD_LEVELS
from mmocc.report.hit_table import HitTable, number
from mmocc.report.seeds import CellAnswers
from mmocc.report.statistics import (
    accuracy_interval,
    cell_kinds,
    difference_interval,
    separate_mean,
)

ALL_HARD = 'L1-L3'
BIN = 0.05  # width of a bin of hidden shares
ALL_KINDS = 'all kinds'


def hard_groups(cells: Iterable[str]) -> dict[str, list[str]]:
    """Return the occluded cells by level, and those of all named levels.

    The levels of ready-made sets, such as ``occluded``, come as they are.
    """
    hard = [cell for cell in cells if cell != CLEAN]
    groups: dict[str, list[str]] = {}
    for cell in hard:
        groups.setdefault(cell.partition(' ')[0], []).append(cell)
    named = [c for c in hard if c.partition(' ')[0] in HARD_LEVELS]
    return groups | ({ALL_HARD: named} if named else {})


def costs(table: HitTable) -> dict[str, dict]:
    """Return what is lost at each level, and at all of them.

    ``loss`` and its 95 % ``interval``, in points, are of the ``images`` that
    have an answer in the clean cell and in all cells of the level; ``clean``
    and ``occluded`` are their accuracies in percent. Where each cell has
    images of its own, the two accuracies are independent. Nothing is known
    without a clean cell or such an image.
    """
    if CLEAN not in table.cells:
        return {}
    found = {}
    for name, members in hard_groups(table.cells).items():
        part = table.of([CLEAN, *members])
        if part.keys:
            found[name] = _paired_cost(part)
        elif table.apart and (parts := _parts(table, [CLEAN, *members])):
            found[name] = _separate_cost(parts)
    return found


def _paired_cost(part: HitTable) -> dict:
    """Return the cost where each image has a clean answer; it comes first."""
    clean, hard = part.hits[:, 0], part.hits[:, 1:]
    interval = difference_interval(clean, hard, part.photos)
    return _entry(
        clean.mean(), hard.mean(), interval, len(np.unique(part.index))
    )


def _parts(table: HitTable, cells: Sequence[str]) -> list[HitTable]:
    """Return the images of each cell; nothing if a cell has none."""
    parts = [table.of([cell]) for cell in cells]
    return parts if all(part.keys for part in parts) else []


def _separate_cost(parts: Sequence[HitTable]) -> dict:
    """Return the cost where each cell has images of its own.

    The intervals are joined by the distances of their ends (MOVER; Zou and
    Donner, Statistics in Medicine 27, 2008, page 1693).
    """
    values = [float(part.hits.mean()) for part in parts]
    ends = [accuracy_interval(part.hits, part.photos) for part in parts]
    mean, low, high = separate_mean(values[1:], ends[1:])
    gap = values[0] - mean
    down = math.hypot(values[0] - ends[0][0], high - mean)
    up = math.hypot(ends[0][1] - values[0], mean - low)
    images = sum(len(part.keys) for part in parts)
    return _entry(values[0], mean, (gap - down, gap + up), images)


def _entry(
    clean: float, hard: float, interval: Sequence[float], images: int
) -> dict:
    """Return a cost in percent and points."""
    return dict(
        clean=_percent(clean),
        occluded=_percent(hard),
        loss=_percent(clean - hard),
        interval=[_percent(end) for end in interval],
        images=images,
    )


def _percent(value: float) -> float:
    """Return a share in percent, rounded to a ten-thousandth."""
    return round(100 * float(value), 4)


def share_curve(
    share: np.ndarray, hits: np.ndarray, photos: np.ndarray
) -> list[dict]:
    """Return how often answers are right, by the hidden share.

    Bins are 5 points wide; one without an answer is left out. Nothing is
    smoothed.

    Args:
        share: (N,) hidden shares in (0, 1].
        hits: (N,) bool.
        photos: (N,) int, equal for answers to one photo.

    Returns:
        For each bin, in percent, the mean ``share`` of its answers, their
        ``accuracy`` and its 95 % ``interval``; and the number of ``answers``.
    """
    # Shares come as float32: 0.6 must not fall below its edge.
    place = np.floor(share.astype(np.float64) / BIN + 1e-6).astype(int)
    curve = []
    for spot in np.unique(place):
        rows = place == spot
        ends = accuracy_interval(hits[rows], photos[rows])
        curve.append(
            dict(
                share=_percent(share[rows].mean()),
                accuracy=_percent(hits[rows].mean()),
                interval=[_percent(end) for end in ends],
                answers=int(rows.sum()),
            )
        )
    return curve


def share_curves(cells: CellAnswers) -> dict[str, list[dict]]:
    """Return a :func:`share_curve` of all kinds, and of each.

    Every occluded answer counts by its own hidden share.
    """
    known: dict[str, int] = {}
    return curves_of(
        {
            cell: (
                answers.share,
                answers.hits,
                np.array(number(answers.photo.tolist(), known), int),
            )
            for cell, answers in cells.items()
        }
    )


def curves_of(
    cells: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> dict[str, list[dict]]:
    """Return a :func:`share_curve` of all kinds, and of each.

    ``cells`` has hidden shares, hits and photos by cell. Those without a
    hidden share are left out. A kind without any has no curve.
    """
    by_kind: dict[str, list[np.ndarray]] = {}
    for cell, rows in cells.items():
        if cell != CLEAN:
            part = np.stack(rows)
            kind = cell.partition(' ')[2]
            by_kind.setdefault(kind, []).append(part[:, part[0] > 0])
    groups = {kind: by_kind[kind] for kind in cell_kinds(cells)}
    if len(groups) > 1:
        every = [part for parts in groups.values() for part in parts]
        groups = {ALL_KINDS: every} | groups
    curves = {}
    for kind, parts in groups.items():
        share, hits, photos = np.concatenate(parts, axis=1)
        if len(share):
            curves[kind] = share_curve(
                share, hits.astype(bool), photos.astype(int)
            )
    return curves
