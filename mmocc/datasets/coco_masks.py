"""Masks as COCO files have them, checked before they are decoded.

pycocotools trusts its input: run lengths that end too early leave pixels as
they come, and a polygon's outline is drawn whole, however far away it is.
"""

import math
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

_FAR = 4  # sides of an image that a polygon may reach to
_MOST_BITS = 40  # of a run length


def are_finite(values: list) -> bool:
    """Return whether all are finite numbers."""
    return all(
        isinstance(v, int | float) and abs(v) < math.inf for v in values
    )


def decode_segmentation(
    segmentation: Any, size: tuple[int, int], where: str
) -> np.ndarray | None:
    """Return polygons or run lengths as a mask.

    Args:
        segmentation: As COCO has it.
        size: (h, w) of the image.
        where: Names the annotation in messages.

    Returns:
        (h, w) uint8; None if there is no segmentation, or all of its polygons
            have fewer than three corners, and so no pixel.

    Raises:
        ValueError: It is damaged, or made for an image of another size.
    """
    if isinstance(segmentation, list):
        segmentation = [p for p in segmentation if not _is_flat(p)]
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        for polygon in segmentation:
            _check_polygon(polygon, size, where)
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    else:
        counts = _check_runs(segmentation, size, where)
        runs = dict(size=list(size), counts=counts)
        runs = coco_mask.frPyObjects(runs, *size)
    return coco_mask.decode(runs)


def _is_flat(polygon: Any) -> bool:
    """Return whether a polygon has fewer corners than any area needs."""
    return (
        isinstance(polygon, list) and len(polygon) < 6 and are_finite(polygon)
    )


def _check_polygon(polygon: Any, size: tuple[int, int], where: str) -> None:
    """Raise ValueError unless a polygon can be drawn."""
    fine = isinstance(polygon, list) and len(polygon) % 2 == 0
    if not fine or len(polygon) < 6 or not are_finite(polygon):
        raise ValueError(
            f'{where}: a polygon needs pairs x, y of three or more corners, '
            f'got {str(polygon)[:80]}'
        )
    if max(map(abs, polygon)) > _FAR * max(size):
        raise ValueError(
            f'{where}: a polygon reaches far beyond its image of '
            f'{size[1]} x {size[0]} pixels: {str(polygon)[:80]}'
        )


def _check_runs(runs: Any, size: tuple[int, int], where: str) -> list[int]:
    """Return run lengths that are safe to decode."""
    runs = runs if isinstance(runs, dict) else {}
    counts, stated = runs.get('counts'), runs.get('size')
    if counts is None or not isinstance(stated, list | tuple):
        raise ValueError(f'{where}: run lengths need counts and size')
    if list(stated) != list(size):
        raise ValueError(
            f'{where}: its mask is for {list(stated)} (h, w), its image has '
            f'{list(size)}'
        )
    if isinstance(counts, str | bytes):
        counts = expand_counts(counts, where)
    whole = isinstance(counts, list) and all(
        isinstance(run, int) and run >= 0 for run in counts
    )
    if not whole or sum(counts) != size[0] * size[1]:
        raise ValueError(
            f'{where}: its run lengths do not add up to the image'
        )
    return counts


def expand_counts(counts: str | bytes, where: str) -> list[int]:
    """Return the run lengths in COCO's compressed text.

    Each is a number in groups of five bits, the lowest first, a bit 32 saying
    that more follow; from the fourth on, less the one before the last.

    Args:
        counts: The text.
        where: Names the annotation in messages.

    Raises:
        ValueError: If a run is longer than any image.
    """
    if isinstance(counts, str):
        counts = counts.encode('utf-8', 'replace')
    runs: list[int] = []
    value = shift = 0
    for byte in counts:
        group = byte - 48
        value |= (group & 31) << shift
        shift += 5
        if shift > _MOST_BITS:
            raise ValueError(f'{where}: its run lengths are damaged')
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return runs
