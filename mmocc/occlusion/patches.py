"""Grids of square patches: sizes, masks and the share that is hidden.

Patches are counted row by row; L = gh * gw is their number. In a mask, True
or 1 is hidden. The grid is that of Vision Transformers.
"""

import numpy as np
from torch import Tensor


def patch_grid(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """Return the (gh, gw) patches of an image.

    Args:
        size: (h, w) of the image in pixels.
        patch: Side of a patch in pixels.

    Raises:
        ValueError: If the image is smaller than a patch, or a side is no
            multiple of it.
    """
    grid = size[0] // patch, size[1] // patch
    if (grid[0] * patch, grid[1] * patch) != tuple(size) or not min(grid):
        fit = [max(1, round(side / patch)) * patch for side in size]
        raise ValueError(
            f'an image of {size[0]} x {size[1]} pixels (h x w) is no whole '
            f'number of patches of {patch} x {patch}; resize it to '
            f'{fit[0]} x {fit[1]}'
        )
    return grid


def upsample_patch_mask(
    mask: Tensor, grid: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """Return masks of pixels from masks of patches.

    Args:
        mask: (N, L), any type.
        grid: (gh, gw), gh * gw = L.
        size: (h, w) of the images, multiples of the grid.

    Returns:
        (N, 1, h, w) of the same type.

    Raises:
        ValueError: If mask, grid and size do not fit each other.
    """
    sides = size[0] // grid[0], size[1] // grid[1]
    fits = mask.dim() == 2 and mask.shape[1] == grid[0] * grid[1]
    if not fits or (grid[0] * sides[0], grid[1] * sides[1]) != tuple(size):
        raise ValueError(
            f'a mask of {tuple(mask.shape)} for a grid of {tuple(grid)} '
            f'patches in images of {tuple(size)} pixels; the mask must be '
            '(N, gh * gw), and the sides multiples of the grid'
        )
    image = mask.view(-1, 1, *grid)
    image = image.repeat_interleave(sides[0], 2)
    return image.repeat_interleave(sides[1], 3)


def patch_coverage(mask: np.ndarray, patch: int) -> np.ndarray:
    """Return the exact share of each patch that is hidden.

    Args:
        mask: (H, W), 0 or 1 (or bool).
        patch: Side of a patch in pixels.

    Returns:
        float32 (gh, gw) in [0, 1].

    Raises:
        ValueError: If the image is no whole number of patches.
    """
    rows, columns = patch_grid(mask.shape, patch)
    cells = np.asarray(mask, np.float32)
    cells = cells.reshape(rows, patch, columns, patch)
    return cells.mean(axis=(1, 3), dtype=np.float32)
