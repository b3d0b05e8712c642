"""The boxes of OccludedPASCAL3D+, with x and y where they belong.

A file states (y0, y1, x0, x1, h, w). In the clean and the training images x
and y are swapped, and were clipped *while swapped*. In an image wider than
high every right edge beyond h became h, in one higher than wide every lower
edge beyond w became w. Such an edge is lost; it cannot be swapped back.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmocc.datasets.occlusion_masks import read_object_mask
from mmocc.utils.npz_reader import read_npz

Box = tuple[float, float, float, float]  # xyxy in photo pixels
Size = tuple[int, int]  # (h, w)
_SLACK = 2  # pixels by which an annotated box may leave its image
_CLEARLY = 0.05  # gain in IoU from which a mask overrules the folder's order


class StoredBox(NamedTuple):
    """The two readings of a file's box, both xyxy, and its image's (h, w)."""

    direct: Box
    turned: Box
    size: Size


class UprightBox(NamedTuple):
    """A box, xyxy in photo pixels, and how it was found.

    ``how`` is ``as stored``, ``swapped back``, ``from a twin``, ``edge from
    the mask``, or ``edge lost``; then ``lost`` is its index (2: right, 3:
    lower).
    """

    box: Box
    how: str
    lost: int | None = None


def read_stored_box(values: np.ndarray) -> StoredBox:
    """Return both readings of (y0, y1, x0, x1, h, w).

    ValueError if these are not six finite numbers, or the box is empty.
    """
    values = np.asarray(values, np.float64).ravel()
    if values.shape != (6,) or not np.isfinite(values).all():
        raise ValueError(
            f'the box {values.tolist()} is not (y0, y1, x0, x1, h, w)'
        )
    y0, y1, x0, x1, height, width = values.tolist()
    if y1 <= y0 or x1 <= x0:
        raise ValueError(
            f'the box {values.tolist()} (y0, y1, x0, x1, h, w) is empty'
        )
    size = (int(height), int(width))
    return StoredBox((x0, y0, x1, y1), (y0, x0, y1, x1), size)


def upright_box(path: Path, stored: StoredBox, expected: bool) -> UprightBox:
    """Return the object's box, whatever order its file has.

    ``path`` is ``annotations/<category><level>/<stem>.npz``; ``expected``
    tells whether files of this folder have x and y swapped. ValueError if no
    reading of the box lies inside the image.
    """
    extent = partial(_extent, path, stored)
    if not is_swapped(stored, expected, extent):
        return UprightBox(stored.direct, 'as stored')
    box, lost = swap_back(stored)
    if lost is None:
        return UprightBox(box, 'swapped back')
    for twin in _twins(path):
        twin_box = _twin_box(twin, stored)
        if twin_box is not None:
            return UprightBox(twin_box, 'from a twin')
    around = extent()
    if around is None:
        return UprightBox(box, 'edge lost', lost)
    return UprightBox(
        restore_edge(box, lost, around[lost]), 'edge from the mask'
    )


def is_swapped(
    stored: StoredBox, expected: bool, extent: Callable[[], Box | None]
) -> bool:
    """Return whether x and y are swapped in a file.

    A reading that leaves the image is ruled out. If both fit, the object's
    mask chooses the one that it fits clearly better; else the folder does
    (``expected``). ``extent`` returns the xyxy extent of the mask, or None.
    ValueError if neither reading lies inside the image.
    """
    direct_fits, turned_fits = (
        _inside(box, stored.size) for box in (stored.direct, stored.turned)
    )
    if not direct_fits and not turned_fits:
        raise ValueError(
            f'the box {stored.direct} (xyxy) leaves its image of (h, w) '
            f'{stored.size}, with x and y swapped as well'
        )
    if direct_fits != turned_fits:
        return turned_fits
    around = extent()
    if around is None:
        return expected
    gain = box_iou(stored.turned, around) - box_iou(stored.direct, around)
    return gain > _CLEARLY if not expected else gain > -_CLEARLY


def swap_back(stored: StoredBox) -> tuple[Box, int | None]:
    """Return the box with x and y exchanged, and the index of a lost edge."""
    (height, width), box = stored.size, stored.turned
    if width > height and box[2] >= height:
        return box, 2
    if height > width and box[3] >= width:
        return box, 3
    return box, None


def restore_edge(box: Box, lost: int, edge: float) -> Box:
    """Return the box with its lost edge moved outwards to ``edge``."""
    sides = list(box)
    sides[lost] = max(box[lost], float(edge))
    left, top, right, bottom = sides
    return left, top, right, bottom


def mask_extent(mask: np.ndarray) -> Box | None:
    """Return the half-open xyxy extent of a (h, w) mask; None if it is 0."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    x1, y1 = float(columns[0]), float(rows[0])
    return x1, y1, float(columns[-1] + 1), float(rows[-1] + 1)


def read_occluder_boxes(values: np.ndarray) -> np.ndarray:
    """Return the occluders' boxes, float32 (n, 4), xyxy in photo pixels.

    Boxes of -1 (outside) are left out. ValueError unless (n, 6) and finite.
    """
    values = np.asarray(values, np.float32)
    if values.size == 0:
        return np.zeros((0, 4), np.float32)
    if values.ndim != 2 or values.shape[1] != 6:
        raise ValueError(f'occluder_box has shape {values.shape}, not (n, 6)')
    boxes = values[:, [2, 0, 3, 1]]
    if not np.isfinite(boxes).all():
        raise ValueError('occluder_box has NaN or inf')
    return boxes[(boxes >= 0).all(1)]


def box_iou(one: Box, other: Box) -> float:
    """Return intersection over union of two boxes, xyxy, in [0, 1]."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [math.prod((b[2] - b[0], b[3] - b[1])) for b in (one, other)]
    return shared / (sum(areas) - shared)


def _inside(box: Box, size: Size) -> bool:
    """Return whether a box lies in its image, up to the slack."""
    height, width = size
    low, high = min(box[:2]), (box[2] - width, box[3] - height)
    return low >= -_SLACK and max(high) <= _SLACK


def _twins(path: Path) -> Iterator[Path]:
    """Yield the files of the same photo in the occluded levels."""
    category, mark, _ = path.parent.name.partition('FGL')
    if mark:
        for folder in sorted(path.parents[1].glob(f'{category}FGL[1-3]_*')):
            if folder != path.parent and (folder / path.name).is_file():
                yield folder / path.name


def _twin_box(twin: Path, stored: StoredBox) -> Box | None:
    """Return the box of a twin; None if the twin's size or order is wrong."""
    other = read_stored_box(read_npz(twin, ['box'])['box'])
    extent = partial(_extent, twin, other)
    if other.size != stored.size or is_swapped(other, False, extent):
        return None
    return other.direct


def _extent(path: Path, stored: StoredBox) -> Box | None:
    """Return the extent of a file's object mask, None without a mask."""
    mask = read_object_mask(path, stored.size)
    return None if mask is None else mask_extent(mask)
