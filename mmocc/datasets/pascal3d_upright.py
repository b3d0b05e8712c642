"""The right box of an OccludedPASCAL3D+ file, from all that its set knows."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mmocc.datasets.npz_reader import read_npz
from mmocc.datasets.occlusion_masks import read_object_mask
from mmocc.datasets.pascal3d_boxes import (
    Box,
    StoredBox,
    is_swapped,
    mask_extent,
    read_stored_box,
    restore_edge,
    swap_back,
)


class Upright(NamedTuple):
    """A box, xyxy in photo pixels, and how it was found.

    ``how`` is ``as stored``, ``swapped back``, ``from a twin``, ``edge from
    the mask``, or ``edge lost``; only then is ``lost`` the edge (2: right, 3:
    lower) that the box still has in the wrong place.
    """

    box: Box
    how: str
    lost: int | None = None


def upright_box(path: Path, stored: StoredBox, expected: bool) -> Upright:
    """Return the object's box, whatever order its file has.

    Args:
        path: The file, ``annotations/<category><level>/<stem>.npz``.
        stored: The box in the file.
        expected: Whether files of this folder have x and y swapped.

    Raises:
        ValueError: No reading of the box lies inside the image.
    """
    extent = partial(_extent, path, stored)
    if not is_swapped(stored, expected, extent):
        return Upright(stored.direct, 'as stored')
    swapped = swap_back(stored)
    if swapped.lost is None:
        return Upright(swapped.box, 'swapped back')
    for twin in _twins(path):
        box = _twin_box(twin, stored)
        if box is not None:
            return Upright(box, 'from a twin')
    around = extent()
    if around is None:
        return Upright(swapped.box, 'edge lost', swapped.lost)
    box = restore_edge(swapped, around[swapped.lost])
    return Upright(box, 'edge from the mask')


def image_edge(upright: Upright, size: tuple[int, int]) -> Box:
    """Return a box whose lost edge is the edge of its (h, w) image."""
    box = list(upright.box)
    box[upright.lost] = float(size[3 - upright.lost])
    return tuple(box)


def _twins(path: Path) -> Iterator[Path]:
    """Yield the files of the same photo in the occluded levels."""
    category, mark, _ = path.parent.name.partition('FGL')
    if mark:
        for folder in sorted(path.parents[1].glob(f'{category}FGL[1-3]_*')):
            if folder != path.parent and (folder / path.name).is_file():
                yield folder / path.name


def _twin_box(twin: Path, stored: StoredBox) -> Box | None:
    """Return the box of a twin, None if that does not help."""
    other = read_stored_box(read_npz(twin, ['box'])['box'])
    extent = partial(_extent, twin, other)
    if other.size != stored.size or is_swapped(other, False, extent):
        return None
    return other.direct


def _extent(path: Path, stored: StoredBox) -> Box | None:
    """Return the extent of a file's object mask, None without a mask."""
    mask = read_object_mask(path, stored.size)
    return None if mask is None else mask_extent(mask)
