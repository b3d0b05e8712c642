"""Hide-and-Seek: hide random cells of a grid in training images."""

import math
import random
from collections.abc import Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmocc.occlusion.grid import Bools, cell_mask, check_grid, draw_grid
from mmocc.transforms.base import HidingTransform, Mask
from mmocc.transforms.objects import Objects
from mmocc.transforms.pictures import Picture

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # RGB


class HideAndSeek(HidingTransform):
    """Hide each cell of a grid with the same probability, at each call.

    Singh and Lee, ICCV 2017, arXiv 1704.04232; as ``mmocc.HideAndSeek`` of
    the mm pipelines does. Hidden pixels get the data's mean colour, so that
    the first layer sees the same mean as without hiding.

    Args:
        grid_sizes: Side(s) of the cells in pixels; one is drawn for each
            image. 0 leaves an image as it is. They are for 224 pixels; for
            CIFAR-10, (0, 4, 8).
        hide_prob: Probability that a cell is hidden.
        fill: ``'mean'``, ImageNet's mean colour; ``'noise'``; or a number
            for each of R, G and B, or one for all, in 0 to 255.
        **options: See :class:`~mmocc.transforms.base.HidingTransform`.

    Raises:
        ValueError: If a grid size, the probability or the fill is out of
            range; the rest as for ``HidingTransform``.
    """

    def __init__(
        self,
        grid_sizes: int | Sequence[int] = (0, 16, 32, 44, 56),
        hide_prob: float = 0.5,
        fill: str | float | Sequence[float] = 'mean',
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.grid_sizes = check_grid(grid_sizes, hide_prob)
        self.hide_prob = hide_prob
        self.fill = fill
        self._colour = _colour(fill)

    def hide(
        self,
        picture: Picture,
        objects: Objects | None,
        choice: random.Random,
        number: int,
    ) -> tuple[Any, Mask]:
        """Hide cells of an image, as ``HidingTransform.hide`` says."""
        cell = choice.choice(self.grid_sizes)
        draw = partial(_uniform, choice)
        hidden = draw_grid(picture.size, cell, self.hide_prob, draw)
        mask = partial(_mask, picture.size, hidden, cell)
        if not cell:
            return picture.image, mask
        cover = self._colour
        if cover is None:
            noise = np.random.default_rng(number)
            cover = noise.integers(256, size=(*picture.size, 3), dtype='u1')
        return picture.covered(cover, hidden, cell), mask

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(grid_sizes={self.grid_sizes}, '
            f'hide_prob={self.hide_prob}, fill={self.fill!r}, '
            f'region={self.region!r}, min_visible={self.min_visible}, '
            f'p={self.p}, seed={self.seed})'
        )


def _mask(size: tuple[int, int], hidden: Bools, cell: int) -> Tensor:
    """Return the mask (H, W) of hidden pixels as bool."""
    mask = np.ascontiguousarray(cell_mask(size, hidden, cell))
    return torch.from_numpy(mask.view(bool))


def _uniform(choice: random.Random, shape: Sequence[int]) -> np.ndarray:
    """Return an array of a shape, uniform in [0, 1).

    NumPy's own generator takes longer to set up than an image to hide.
    """
    words = np.frombuffer(choice.randbytes(4 * math.prod(shape)), '<u4')
    return (words / 2**32).reshape(shape)


def _colour(fill: Any) -> np.ndarray | None:
    """Return a fill as (3,) uint8, None for noise."""
    if fill == 'noise':
        return None
    values: Any = IMAGENET_MEAN if fill == 'mean' else fill
    values = (values,) * 3 if isinstance(values, Real) else values
    good = not isinstance(values, str) and len(values) == 3
    if not good or not all(
        isinstance(v, Real) and 0 <= float(v) <= 255 for v in values
    ):
        raise ValueError(
            "fill must be 'mean', 'noise', or a number or three (R, G, B) in "
            f'0 to 255, got {fill!r}'
        )
    return np.array(values).round().astype(np.uint8)
