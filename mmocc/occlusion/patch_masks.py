"""Random masks of patches, to learn redrawing from clean images."""

import torch
from torch import Tensor


def draw_patch_masks(
    number: int,
    grid: tuple[int, int],
    share: tuple[float, float] = (0.1, 0.5),
    roughness: float = 0.5,
    device: torch.device | str = 'cpu',
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one mask for each image: a blob, more or less scattered.

    Hidden are the patches next to a random place, in a metric that is
    stretched at random, to whose distances noise is added. Nothing waits for
    the device.

    Args:
        number: Number of masks N.
        grid: (gh, gw), L = gh * gw.
        share: Least and greatest share of the patches that is hidden; drawn
            for each image, rounded to whole patches, at least one.
        roughness: Most noise, as a share of the grid's longer side; drawn
            for each image. 0 gives solid blobs.
        device: Where the masks shall be.
        generator: Of that device; None for its global one.

    Returns:
        (N, L) bool, True is hidden.

    Raises:
        ValueError: If the shares are not in [0, 1] and in order, or the
            roughness is negative.
    """
    low, high = share
    if not 0 <= low <= high <= 1 or roughness < 0:
        raise ValueError(
            f'share={tuple(share)}, roughness={roughness}: shares must be in '
            '[0, 1], the least first, and the roughness not negative'
        )
    rows, columns = grid
    how = dict(device=device, generator=generator)
    amount, rough, stretch, y, x = torch.rand(5, number, 1, **how)
    place = torch.arange(rows * columns, device=device)
    # A square on the grid is stretched up to twice, to either side.
    stretch = 2 ** (stretch - 0.5)
    down = (place // columns - y * (rows - 1)) * stretch
    right = (place % columns - x * (columns - 1)) / stretch
    noise = torch.rand(number, rows * columns, **how)
    score = torch.hypot(down, right)
    score = score + noise * rough * roughness * max(grid)
    count = (low + amount * (high - low)) * rows * columns
    rank = score.argsort(dim=1).argsort(dim=1)
    return rank < count.round().clamp_min(1)
