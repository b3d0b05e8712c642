"""Hide a wanted share of every object: what ``mmocc.OccludeObjects`` does.

Objects overlap, and an occluder put on one hides parts of its neighbours. So
each object draws a target inside the level; the smallest are served first; and
an occluder passes *behind* a neighbour that has its share already, as if that
one stood in front. Hence no object is ever hidden above the level. One whose
last visible pixels all belong to such neighbours may stay below it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mmocc.occlusion.crowd import Crowd, Target
from mmocc.occlusion.levels import UnreachableLevelError, pixel_bounds
from mmocc.occlusion.occlude import MARGIN
from mmocc.occlusion.occluders import OccluderBank
from mmocc.occlusion.regions import Region, hidden_share

INSIDE, BELOW, TOO_SMALL = 'inside', 'below', 'too_small'


class ObjectsOcclusion(NamedTuple):
    """An image whose objects are partly hidden.

    Attributes:
        image: (3, H, W) uint8, BGR.
        mask: (H, W) bool, True where a pixel is hidden.
        shares: Hidden share of each object; NaN for one without a pixel.
        status: For each object ``inside`` the level, ``below`` it, or
            ``too_small`` for it (such objects are not occluded on purpose).
    """

    image: Tensor
    mask: Tensor
    shares: list[float]
    status: list[str]


def occlude_objects(
    image: Tensor,
    regions: Sequence[Region],
    kind: str,
    shares: tuple[float, float],
    bank: OccluderBank,
    generator: Generator,
) -> ObjectsOcclusion:
    """Hide a share of each object that lies inside a level, where possible.

    Args:
        image: (3, H, W) uint8, BGR; not changed in place.
        regions: The objects; they may overlap.
        kind: Occluder kind.
        shares: Wanted hidden share ``(low, high)`` of each object.
        bank: Sheets to fill occluders with; must serve ``kind``.
        generator: Source of all random numbers.
    """
    objects = [_plan(region, shares, generator) for region in regions]
    known = [item for item in objects if item is not None]
    crowd = Crowd(image, known, kind, bank, generator)
    for item in sorted(known, key=lambda item: int(item.region.mask.sum())):
        crowd.serve(item)
    hidden = [hidden_share(region, crowd.mask) for region in regions]
    canvas = crowd.canvas.round_().to(image.dtype)
    status = [_status(item) for item in objects]
    return ObjectsOcclusion(canvas, crowd.mask, hidden, status)


def _plan(
    region: Region, shares: tuple[float, float], generator: Generator
) -> Target | None:
    """Draw how many pixels of an object to hide; None if it is too small."""
    try:
        fewest, most = pixel_bounds(int(region.mask.sum()), shares)
    except UnreachableLevelError:
        return None
    room = MARGIN + (1 - 2 * MARGIN) * torch.rand(1, generator=generator)
    target = round(fewest + float(room) * (most - fewest))
    return Target(region, fewest, most, target)


def _status(item: Target | None) -> str:
    """Return how an object ended."""
    if item is None:
        return TOO_SMALL
    return INSIDE if item.hidden >= item.fewest else BELOW
