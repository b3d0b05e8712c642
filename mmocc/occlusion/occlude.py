"""Hide a wanted share of one object: what ``mmocc.Occlude`` does."""

import numpy as np
import torch
from torch import Generator, Tensor

from mmocc.occlusion.levels import pixel_bounds
from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    fit_scale,
    inner_coords,
    render,
)

MAX_PASTES = 16  # one rectangle is enough; thin cut-outs may need several
SAMPLE = 1024  # points of the object that the size of an occluder is fitted to
MARGIN = 0.1  # of the level's range, kept free so that the fit lands inside


def occlude_object(
    image: Tensor,
    region: Tensor,
    kind: str,
    shares: tuple[float, float],
    bank: OccluderBank,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Hide a share of an object's pixels that lies inside a level, always.

    An occluder is put on a random visible pixel of the object and scaled by
    bisection until the share is met. Cut-outs are no larger than about the
    image, so several may be needed. What is left over or missing after the
    fit (a few pixels) is uncovered or covered at the occluder's rim, so that
    the number of hidden pixels is inside the level exactly.

    Args:
        image: (3, H, W) uint8, BGR; not changed in place.
        region: (H, W) bool, the object; on the CPU.
        kind: Occluder kind.
        shares: Wanted hidden share ``(low, high)`` of the object.
        bank: Sheets to fill occluders with; must serve ``kind``.
        generator: Source of all random numbers.

    Returns:
        The occluded image, and (H, W) bool, True where a pixel is hidden, on
        the object or beside it.

    Raises:
        ValueError: If the object has no pixel, or too few for the level.
    """
    size = tuple(region.shape)
    # NumPy's is five times as fast as torch's
    index = torch.from_numpy(np.flatnonzero(region.numpy()))
    fewest, most = pixel_bounds(len(index), shares)
    mask = torch.zeros(size, dtype=torch.bool)
    if most == 0:
        return image.clone(), mask
    room = MARGIN + (1 - 2 * MARGIN) * torch.rand(1, generator=generator)
    target = (fewest + room * (most - fewest)).round() / len(index)
    sample = index[:: len(index) // SAMPLE + 1]
    canvas = image.float().contiguous()  # or every step of it is slow
    visible, hidden = index, None
    for last in range(MAX_PASTES - 1, -1, -1):
        pick = torch.randint(len(visible), (1,), generator=generator)
        pixel = _centres(visible[pick], size)
        occluder = bank.draw(kind, 1, generator)
        scale = fit_occluder(
            kind,
            bank,
            occluder,
            _centres(sample, size),
            pixel,
            target,
            size,
            hidden,
        )
        colours, alpha = render(
            kind, bank.sheets.get(kind), occluder, pixel, scale, size
        )
        over = alpha[0, 0]
        counts = int(((mask | (over >= 0.5)) & region).sum())
        if counts > most or (counts < fewest and not last):
            wanted = most if counts > most else fewest
            points = _centres(index, size)
            reach = inner_coords(points[None], occluder, pixel, scale)
            reach = reach.abs().amax(dim=-1)[0]
            _adjust(over, mask, index, reach, wanted)
            counts = wanted
        mask |= over >= 0.5
        canvas.lerp_(colours[0], over)
        if counts >= fewest:
            break
        covered = mask.flatten()
        visible = index[~covered[index]]
        hidden = covered[sample][None]
    return canvas.round_().to(image.dtype), mask


def fit_occluder(
    kind: str,
    bank: OccluderBank,
    occluder: Occluders,
    points: Tensor,
    pixel: Tensor,
    share: Tensor,
    size: tuple[int, int],
    hidden: Tensor | None = None,
) -> Tensor:
    """Return the size at which an occluder hides a share of an object.

    Args:
        kind: Occluder kind.
        bank: Its sheets.
        occluder: One occluder; a cut-out stays below about the image's size.
        points: (n, 2) pixel centres of the object, or a sample of them.
        pixel: (1, 2) where the occluder is put.
        share: (1,) wanted share of the points.
        size: (h, w) of the image.
        hidden: (1, n) bool, points hidden already.

    Returns:
        (1,) scale; see :func:`~mmocc.occlusion.occluders.fit_scale`.
    """
    cutout = kind == 'object'
    return fit_scale(
        points[None],
        occluder,
        pixel,
        share,
        max_scale=max(size) * (0.75 if cutout else 4),
        alpha=bank.cutouts.sheets[occluder.sheet, 3] if cutout else None,
        hidden=hidden,
    )


def _centres(index: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the centres (x, y) of pixels, counted row by row.

    Args:
        index: (n,) int, numbers of pixels.
        size: (h, w) of the image.

    Returns:
        (n, 2).
    """
    rows = torch.div(index, size[1], rounding_mode='floor')
    return torch.stack([index - rows * size[1], rows], dim=-1) + 0.5


def _adjust(
    over: Tensor,
    mask: Tensor,
    index: Tensor,
    reach: Tensor,
    wanted: int,
) -> None:
    """Change an occluder's coverage at its rim to hide ``wanted`` pixels.

    Args:
        over: (H, W) the occluder's coverage, changed in place.
        mask: (H, W) bool, hidden by earlier occluders.
        index: (n,) the object's pixels, counted row by row.
        reach: (n,) distance from the occluder's middle; 1 is its rim.
        wanted: Number of the object's pixels to be hidden in the end.
    """
    before = mask.flatten()[index]
    mine = ~before & (over.flatten()[index] >= 0.5)
    change = wanted - int(before.sum()) - int(mine.sum())
    if change < 0:  # uncover the outermost of this occluder's pixels
        order = torch.where(mine, -reach, torch.inf).argsort()
    else:  # cover the nearest of the visible pixels
        order = torch.where(mine | before, torch.inf, reach).argsort()
    chosen = order[: abs(change)]
    over.view(-1)[index[chosen]] = float(change > 0)
