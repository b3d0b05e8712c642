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
SAMPLE = 1024  # points of the object that an occluder's size is fitted to
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
    bisection until the share is reached. Cut-outs are no larger than about
    the image, so several may be needed. The few pixels that are left over or
    missing after the fit are uncovered or covered at the occluder's rim.

    Args:
        image: (3, H, W) uint8, BGR; not changed in place.
        region: (H, W) bool, the object; on the CPU.
        kind: Occluder kind.
        shares: Wanted hidden share ``(low, high)`` of the object.
        bank: Sheets to fill occluders with; must serve ``kind``.
        generator: Source of all random numbers.

    Returns:
        The occluded image, and (H, W) bool, True where a pixel is hidden.

    Raises:
        ValueError: If the object has no pixel, or too few for the level.
    """
    size = region.shape[0], region.shape[1]
    # NumPy's is five times as fast as torch's
    index = torch.from_numpy(np.flatnonzero(region.numpy()))
    fewest, most = pixel_bounds(len(index), shares)
    mask = torch.zeros(size, dtype=torch.bool)
    if most == 0:
        return image.clone(), mask
    room = MARGIN + (1 - 2 * MARGIN) * torch.rand(1, generator=generator)
    target = (fewest + room * (most - fewest)).round() / len(index)
    sample = index[:: len(index) // SAMPLE + 1]
    points = _centres(sample, size)
    canvas = image.float().contiguous()  # or every step of it is slow
    visible, hidden = index, None
    for pastes_left in range(MAX_PASTES - 1, -1, -1):
        pick = torch.randint(len(visible), (1,), generator=generator)
        pixel = _centres(visible[pick], size)
        occluder = bank.draw(kind, 1, generator)
        scale = fit_occluder(
            kind, bank, occluder, points, pixel, target, size, hidden
        )
        colours, alpha = render(
            kind, bank.sheets.get(kind), occluder, pixel, scale, size
        )
        over = alpha[0, 0]
        count = int(((mask | (over >= 0.5)) & region).sum())
        if count > most or (count < fewest and not pastes_left):
            count = most if count > most else fewest
            centres = _centres(index, size)[None]
            reach = inner_coords(centres, occluder, pixel, scale)
            _adjust(over, mask, index, reach.abs().amax(dim=-1)[0], count)
        mask |= over >= 0.5
        canvas.lerp_(colours[0], over)
        if count >= fewest:
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
    """Return the (1,) scale at which an occluder hides a share of an object.

    ``points`` (n, 2) are the object's pixel centres, or a sample of them;
    ``pixel`` is (1, 2). The ``share`` (1,) includes points that are
    ``hidden`` (1, n) already. A cut-out stays below about the image's size.
    """
    alpha, largest = None, 4.0
    if kind == 'object' and bank.cutouts:
        alpha, largest = bank.cutouts.sheets[occluder.sheet, 3], 0.75
    return fit_scale(
        points[None],
        occluder,
        pixel,
        share,
        max_scale=max(size) * largest,
        alpha=alpha,
        hidden=hidden,
    )


def _centres(index: Tensor, size: tuple[int, int]) -> Tensor:
    """Return centres (n, 2) of pixels, numbered row by row, in (h, w)."""
    rows = torch.div(index, size[1], rounding_mode='floor')
    return torch.stack([index - rows * size[1], rows], dim=-1) + 0.5


def _adjust(
    over: Tensor, mask: Tensor, index: Tensor, reach: Tensor, wanted: int
) -> None:
    """Change an occluder's alpha at its rim so that ``wanted`` pixels hide.

    ``over`` (H, W) is changed in place; ``mask`` is hidden already; ``reach``
    (n,) is how far the object's pixels ``index`` (n,) are from the middle.
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
