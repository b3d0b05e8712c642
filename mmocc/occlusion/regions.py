"""Regions: the pixels of one object, stored no larger than the object is.

Full-size masks of the hundreds of objects of a crowd would take gigabytes.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Slices = tuple[slice, slice]


class Window(NamedTuple):
    """A part of an image in whole pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """The window's (h, w)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> Slices:
        """Rows and columns, to index an image with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def join(self, other: 'Window') -> 'Window':
        """Return the smallest window that holds both."""
        return Window(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def common(self, other: 'Window') -> tuple[Slices, Slices] | None:
        """Return where two windows meet, in each one's pixels, or None."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.bottom, other.bottom)
        right = min(self.right, other.right)
        if top >= bottom or left >= right:
            return None
        mine, theirs = (
            (
                slice(top - window.top, bottom - window.top),
                slice(left - window.left, right - window.left),
            )
            for window in (self, other)
        )
        return mine, theirs


class Region(NamedTuple):
    """The pixels of one object."""

    window: Window  # where the mask lies in the image
    mask: Tensor  # (h, w) bool


def mask_region(mask: NDArray[Any]) -> Region:
    """Return the pixels of an (H, W) mask that are not 0."""
    mask = mask != 0
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    window = Window(top, left, top + height, left + width)
    return Region(window, torch.from_numpy(mask[window.slices]))


def box_region(box: ArrayLike, size: tuple[int, int]) -> Region:
    """Return the pixels of an xyxy box, rounded and cut at the border.

    ``size`` is the image's (h, w).

    Raises:
        ValueError: If the box has NaN or inf.
    """
    box = np.asarray(box, np.float64)
    if not np.isfinite(box).all():
        raise ValueError(f'the box {box.tolist()} has NaN or inf')
    limit = np.array(size[::-1] * 2)
    left, top, right, bottom = box.round().clip(0, limit).astype(int).tolist()
    window = Window(top, left, max(top, bottom), max(left, right))
    return Region(window, torch.ones(window.size, dtype=torch.bool))


def hidden_share(region: Region, mask: Tensor) -> float:
    """Return the share of a region that an (H, W) bool mask hides, or NaN."""
    hidden = mask[region.window.slices] & region.mask
    return float(hidden.sum() / region.mask.sum())
