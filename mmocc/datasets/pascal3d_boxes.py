"""The boxes of OccludedPASCAL3D+, with x and y put where they belong.

A file states (y0, y1, x0, x1, h, w). Where its generator took PASCAL3D+'s
(x1, y1, x2, y2) for (y, x, y, x), as it does for the clean and the training
images, x and y are swapped, and clipped *while swapped*: in an image wider
than high every right edge beyond h became h, in one higher than wide every
lower edge beyond w became w. Such an edge is lost; it cannot be swapped back.
Pure NumPy, no OpenMMLab import.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Box = tuple[float, float, float, float]  # xyxy in photo pixels
Size = tuple[int, int]  # (h, w)
_SLACK = 2  # pixels by which an annotated box may leave its image
_CLEARLY = 0.05  # IoU by which the mask must speak against a folder's order


class StoredBox(NamedTuple):
    """The two readings of a file's box, both xyxy, and its image's (h, w)."""

    direct: Box
    turned: Box
    size: Size


class Swapped(NamedTuple):
    """A box put right; ``lost`` is the edge (2: right, 3: lower) or None."""

    box: Box
    lost: int | None


def read_stored_box(values: np.ndarray) -> StoredBox:
    """Return both readings of (y0, y1, x0, x1, h, w).

    Raises:
        ValueError: These are not six finite numbers, or the box is empty.
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


def is_swapped(
    stored: StoredBox, expected: bool, extent: Callable[[], Box | None]
) -> bool:
    """Return whether x and y are swapped in a file.

    A reading that leaves the image is out. Of two that fit, the object's mask
    chooses where one fits it clearly better; else the folder's habit counts.

    Args:
        stored: The box of the file.
        expected: What is known of files of this folder.
        extent: Returns the xyxy extent of the object's mask, or None; called
            only when it can matter.

    Raises:
        ValueError: Neither reading lies inside the image.
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


def swap_back(stored: StoredBox) -> Swapped:
    """Return the box of a file with x and y exchanged, and the lost edge."""
    (height, width), box = stored.size, stored.turned
    if width > height and box[2] >= height:
        return Swapped(box, 2)
    if height > width and box[3] >= width:
        return Swapped(box, 3)
    return Swapped(box, None)


def restore_edge(swapped: Swapped, edge: float) -> Box:
    """Return the box with its lost edge moved outwards to ``edge``."""
    box = list(swapped.box)
    box[swapped.lost] = max(box[swapped.lost], edge)
    return tuple(box)


def mask_extent(mask: np.ndarray) -> Box | None:
    """Return the xyxy extent of a (h, w) mask's pixels, None if it has none.

    The right and lower edges are behind the last pixel.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    x1, y1 = float(columns[0]), float(rows[0])
    return x1, y1, float(columns[-1] + 1), float(rows[-1] + 1)


def read_occluder_boxes(values: np.ndarray) -> np.ndarray:
    """Return the occluders' boxes, float32 (n, 4), xyxy in photo pixels.

    Boxes of -1, which stand for an occluder that fell outside, are left out.

    Raises:
        ValueError: The array is not (n, 6) finite numbers.
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
