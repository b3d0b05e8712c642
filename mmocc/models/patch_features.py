"""From the maps of a trunk to one feature vector for each patch.

PaDiM (arXiv 2011.08785) and PatchCore (arXiv 2106.08265) both compare patches
by features of several stages, brought to one grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_grid(
    maps: Sequence[Tensor],
    kernel: int = 3,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Return the features of patches, (N, sum of C_l, h, w) float32.

    Each map is averaged over neighbours, brought to one size (the mean of an
    area where it shrinks, bilinear where it grows), and put beside the
    others.

    Args:
        maps: (N, C_l, h_l, w_l) each, the finest first.
        kernel: Side of the neighbourhood that is averaged, in cells of each
            map, odd; cells outside the map do not count. 1 averages nothing.
        size: (h, w) of the grid; None for the first map's.

    Raises:
        ValueError: If there is no map, or ``kernel`` is even or below 1.
    """
    if not maps:
        raise ValueError('patch_grid needs at least one map')
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f'kernel must be odd and positive, got {kernel}')
    size = tuple(size or maps[0].shape[-2:])
    parts = []
    for level in maps:
        part = level.float()
        if kernel > 1:
            part = F.avg_pool2d(
                part, kernel, 1, kernel // 2, count_include_pad=False
            )
        part = _resize(part, size)
        parts.append(part)
    return torch.cat(parts, dim=1)


def _resize(level: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a map (N, C, h, w) at this size (h, w)."""
    own = tuple(level.shape[-2:])
    if own == tuple(size):
        return level
    if own[0] >= size[0] and own[1] >= size[1]:
        return F.adaptive_avg_pool2d(level, size)
    return F.interpolate(level, size, mode='bilinear')


def as_rows(grid: Tensor) -> Tensor:
    """Return a grid (N, C, h, w) as rows (N, h * w, C), row by row."""
    return grid.flatten(2).transpose(1, 2)
