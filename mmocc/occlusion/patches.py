"""Square patches of a Vision Transformer: grids, masks and hidden shares.

Patches are counted row by row; L = gh * gw is their number. In a mask, True
or 1 is hidden.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def patch_grid(size: tuple[int, ...], patch: int) -> tuple[int, int]:
    """Return the (gh, gw) patches, of ``patch`` pixels, of an (h, w) image.

    Raises:
        ValueError: If a side is not a positive multiple of a patch's.
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
    """Return masks of pixels (N, 1, h, w) from masks of patches (N, L).

    ``grid`` is (gh, gw) with gh * gw = L, ``size`` the images' (h, w),
    multiples of it; any type is kept.

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


def patch_coverage(mask: NDArray[Any], patch: int) -> NDArray[np.float32]:
    """Return the exact share of each patch that a mask hides.

    From an (H, W) mask of 0 and 1 it is float32 (gh, gw) in [0, 1].

    Raises:
        ValueError: If the image is not a whole number of patches.
    """
    rows, columns = patch_grid(mask.shape, patch)
    pixels = np.asarray(mask, np.float32)
    pixels = pixels.reshape(rows, patch, columns, patch)
    shares: NDArray[np.float32] = pixels.mean(axis=(1, 3), dtype=np.float32)
    return shares


def draw_patch_masks(
    number: int,
    grid: tuple[int, int],
    share: tuple[float, float] = (0.1, 0.5),
    roughness: float = 0.5,
    device: torch.device | str = 'cpu',
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one mask for each image: a blob, more or less scattered.

    Hidden are the patches nearest to a random place, in a metric that is
    stretched at random, after noise is added to the distances. Nothing waits
    for the device; ``generator`` is that device's, None for its global one.

    Args:
        number: Number of masks N.
        grid: (gh, gw), L = gh * gw.
        share: Least and greatest share of the patches that is hidden; drawn
            for each image, rounded to whole patches, at least one.
        roughness: Most noise, as a share of the grid's longer side; drawn
            for each image. 0 gives solid blobs.
        device: Of the masks.
        generator: Source of all random numbers.

    Returns:
        (N, L) bool, True is hidden.

    Raises:
        ValueError: If shares or roughness are out of range.
    """
    low, high = share
    if not 0 <= low <= high <= 1 or roughness < 0:
        raise ValueError(
            f'share={tuple(share)}, roughness={roughness}: shares must be in '
            '[0, 1], the least first, and the roughness not negative'
        )
    rows, columns = grid
    amount, rough, stretch, y, x = torch.rand(
        5, number, 1, device=device, generator=generator
    )
    place = torch.arange(rows * columns, device=device)
    # A square on the grid is stretched up to twice, to either side.
    stretch = 2 ** (stretch - 0.5)
    down = (place // columns - y * (rows - 1)) * stretch
    right = (place % columns - x * (columns - 1)) / stretch
    noise = torch.rand(
        number, rows * columns, device=device, generator=generator
    )
    score = torch.hypot(down, right)
    score = score + noise * rough * roughness * max(grid)
    count = (low + amount * (high - low)) * rows * columns
    rank = score.argsort(dim=1).argsort(dim=1)
    mask: Tensor = rank < count.round().clamp_min(1)
    return mask
