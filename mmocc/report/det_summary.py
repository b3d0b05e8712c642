"""From what detectors found to the numbers of their report.

The form is that of classifiers' reports, so that the same tables, maps and
comparisons show both: ``accuracy`` is COCO's AP of boxes, in percent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmocc.occlusion import CLEAN
from mmocc.report.cost import curves_of, hard_groups
from mmocc.report.det_matching import (
    DRAWS,
    Matches,
    average_precision,
    best_score,
    draw_weights,
    match,
)
from mmocc.report.detection_store import Detections
from mmocc.report.statistics import accuracy_interval, cell_groups

SIZES = {
    'small': (0, 32**2),
    'medium': (32**2, 96**2),
    'large': (96**2, np.inf),
}
TAILS = (2.5, 97.5)  # of the draws, in percent

Found = Mapping[str, Detections]  # by cell


@dataclass
class Measured:
    """One detector in all cells: AP in each draw, and which objects it finds.

    The first draw is of all photos, once.
    """

    ap: dict[str, np.ndarray]  # (1 + draws,) by cell
    ap50: dict[str, np.ndarray]  # (1 + draws,) by cell
    found: dict[str, np.ndarray]  # (G,) bool by cell
    score: float  # from which on a box counts


def measure(cells: Found, classes: int, draws: int = DRAWS) -> Measured:
    """Return the AP of one detector in all cells, in each draw of photos.

    A box counts as an answer from the score on at which F1 is highest on the
    clean photos: so each detector is taken at its own best.
    """
    matches = {cell: match(d, classes) for cell, d in cells.items()}
    score = best_score(next(iter(matches.values())).classes)
    values: dict[str, np.ndarray] = {}
    for cell, part in matches.items():
        weights = draw_weights(len(cells[cell].photo), draws)
        values[cell] = average_precision(part.classes, weights)
    return Measured(
        ap={cell: value.mean(axis=1) for cell, value in values.items()},
        ap50={cell: value[:, 0] for cell, value in values.items()},
        found={cell: _found(part, score) for cell, part in matches.items()},
        score=score,
    )


def _found(matches: Matches, score: float) -> np.ndarray:
    """Return which objects a box of at least this score finds."""
    return (matches.found >= score) & np.isfinite(matches.found)


def in_percent(value: float) -> float | None:
    """Return a share in percent, None for NaN."""
    return None if np.isnan(value) else round(100 * float(value), 4)


def spread_of(draws: np.ndarray) -> list[float | None]:
    """Return the 95 % interval of a number's draws, the first left out."""
    known = draws[1:][~np.isnan(draws[1:])]
    if not len(known) or np.isnan(draws[0]):
        return [None, None]
    return [in_percent(end) for end in np.percentile(known, TAILS)]


def entry(draws: np.ndarray, key: str = 'accuracy', **more: Any) -> dict:
    """Return a number and its interval, in percent."""
    value = in_percent(draws[0])
    return {key: value, 'interval': spread_of(draws), **more}


def summarise_detectors(
    models: Mapping[str, Found],
    classes: Sequence[str],
    meta: dict | None = None,
    measured: Mapping[str, Measured] | None = None,
) -> dict:
    """Return all numbers of a report of detectors.

    Args:
        models: What each has found in each cell; the first cell is the clean
            one. The others are compared with the first model.
        classes: Names of the classes.
        meta: How the numbers were made.
        measured: Of each model, where that is done.
    """
    first = next(iter(models))
    measured = measured or {
        name: measure(cells, len(classes)) for name, cells in models.items()
    }
    summaries = {}
    for name, cells in models.items():
        summary = summarise_model(cells, measured[name])
        if name != first:
            if reason := why_not_same(cells, models[first]):
                summary['not_paired'] = reason
            else:
                summary['difference'] = gains(
                    measured[name].ap, measured[first].ap
                )
        summaries[name] = summary
    return dict(
        meta=meta or {},
        measure='ap',
        baseline=first,
        classes=list(classes),
        models=summaries,
    )


def why_not_same(ours: Found, base: Found) -> str | None:
    """Return why two detectors' photos are not the same ones, if so."""
    for cell, found in ours.items():
        other = base[cell]
        if found.photo.tolist() != other.photo.tolist():
            return 'the test sets are not of the same photos in one order'
        if not np.array_equal(found.object_owner, other.object_owner):
            return 'the photos do not have the same objects'
        if not np.allclose(
            found.shares, other.shares, atol=1e-3, equal_nan=True
        ):
            return f'in {cell}, other parts of the objects are hidden'
    return None


def means_of(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the draws of the means over cells."""
    return {
        name: np.mean([values[cell] for cell in members], axis=0)
        for name, members in cell_groups(values).items()
    }


def gains(
    ours: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]
) -> dict[str, dict]:
    """Return by cell and mean how much better one detector is, in points.

    Both are of the same photos in each draw: the interval is paired.
    """
    mine, theirs = dict(ours) | means_of(ours), dict(base) | means_of(base)
    return {
        name: entry(draws - theirs[name], 'difference')
        for name, draws in mine.items()
    }


def summarise_model(cells: Found, own: Measured) -> dict:
    """Return all numbers of one detector."""
    means, means50 = means_of(own.ap), means_of(own.ap50)
    clean = next(iter(cells.values()))
    return dict(
        images=len(clean.photo),
        photos=len(clean.photo),
        objects=int((~clean.ignored).sum()),
        named=True,
        probabilities=True,
        score=round(own.score, 4),
        cells={
            cell: entry(
                own.ap[cell],
                images=len(found.photo),
                left_out={},
                ap50=entry(own.ap50[cell]),
                recall=recall(found, own.found[cell]),
            )
            for cell, found in cells.items()
        },
        means={
            name: entry(
                draws, images=len(clean.photo), ap50=entry(means50[name])
            )
            for name, draws in means.items()
        },
        costs=_costs(own.ap),
        curves=_curves(cells, own),
        clean_point=recall(clean, own.found[next(iter(cells))]),
        sizes=recall_by_size(cells, own),
    )


def _costs(ap: Mapping[str, np.ndarray]) -> dict[str, dict]:
    """Return what is lost at each level, as of classifiers."""
    if CLEAN not in ap:
        return {}
    found = {}
    for name, members in hard_groups(ap).items():
        hard = np.mean([ap[cell] for cell in members], axis=0)
        if np.isnan(ap[CLEAN][0]) or np.isnan(hard[0]):
            continue
        found[name] = dict(
            clean=in_percent(ap[CLEAN][0]),
            occluded=in_percent(hard[0]),
            **entry(ap[CLEAN] - hard, 'loss'),
        )
    return found


def recall(
    found: Detections, hits: np.ndarray, chosen: np.ndarray | None = None
) -> dict:
    """Return how many objects are found, with an interval.

    ``chosen`` (G,) bool takes some objects only. Those that are ignored do
    not count. The interval is by the spread between photos.
    """
    rows = ~found.ignored
    if chosen is not None:
        rows = rows & chosen
    if not rows.any():
        return dict(accuracy=None, interval=[None, None], objects=0)
    ends = accuracy_interval(hits[rows], found.object_owner[rows])
    return dict(
        accuracy=in_percent(hits[rows].mean()),
        interval=[in_percent(end) for end in ends],
        objects=int(rows.sum()),
    )


def recall_by_size(cells: Found, own: Measured) -> dict[str, dict]:
    """Return the recall of small, medium and large objects by level.

    The size is the area of the box in pixels, as COCO has it: small is below
    32 x 32, large from 96 x 96 on.
    """
    groups = {CLEAN: [CLEAN]} if CLEAN in cells else {}
    groups |= hard_groups(cells)
    sizes: dict[str, dict] = {}
    for size, (low, high) in SIZES.items():
        sizes[size] = {}
        for group, members in groups.items():
            parts = [cells[cell] for cell in members]
            joined = Detections.join_objects(parts)
            hits = np.concatenate([own.found[cell] for cell in members])
            sides = joined.objects[:, 2:] - joined.objects[:, :2]
            area = sides.prod(axis=1)
            sizes[size][group] = recall(
                joined, hits, (area >= low) & (area < high)
            )
    return sizes


def _curves(cells: Found, own: Measured) -> dict[str, list[dict]]:
    """Return the recall against each object's own hidden share."""
    rows = {}
    for cell, found in cells.items():
        keep = ~found.ignored & ~np.isnan(found.shares)
        rows[cell] = (
            found.shares[keep],
            own.found[cell][keep],
            found.object_owner[keep],
        )
    return curves_of(rows)
