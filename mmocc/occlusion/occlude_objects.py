"""Hide a wanted share of every object: what ``mmocc.OccludeObjects`` does.

An occluder put on one object hides parts of its neighbours. So each object
draws a target inside the level; the smallest are served first; and an
occluder passes *behind* a neighbour that has its share already. No object is
hidden above the level; one whose last visible pixels all belong to such
neighbours may stay below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mmocc.occlusion.levels import UnreachableLevelError, pixel_bounds
from mmocc.occlusion.occlude import MARGIN, MAX_PASTES, SAMPLE, fit_occluder
from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    inner_axes,
    render,
)
from mmocc.occlusion.regions import Region, Window, hidden_share

INSIDE, BELOW, TOO_SMALL = 'inside', 'below', 'too_small'


class ObjectsOcclusion(NamedTuple):
    """An image whose objects are partly hidden."""

    image: Tensor  # (3, H, W) uint8, BGR
    mask: Tensor  # (H, W) bool, True where a pixel is hidden
    shares: list[float]  # of each object; NaN for one without a pixel
    status: list[str]  # inside the level, below it, or too_small for it


def occlude_objects(
    image: Tensor,
    regions: Sequence[Region],
    kind: str,
    shares: tuple[float, float],
    bank: OccluderBank,
    generator: Generator,
) -> ObjectsOcclusion:
    """Hide a share of each object that lies inside a level, where possible.

    ``regions`` are the objects; they may overlap. The rest is as for
    :func:`~mmocc.occlusion.occlude.occlude_object`.
    """
    targets = [_plan(region, shares, generator) for region in regions]
    reachable = [item for item in targets if item is not None]
    crowd = Crowd(image, reachable, kind, bank, generator)
    for item in sorted(reachable, key=lambda t: int(t.region.mask.sum())):
        crowd.serve(item)
    return ObjectsOcclusion(
        crowd.canvas.round_().to(image.dtype),
        crowd.mask,
        [hidden_share(region, crowd.mask) for region in regions],
        [TOO_SMALL if item is None else item.status for item in targets],
    )


@dataclass
class Target:
    """An object, how many of its pixels to hide, and how many are hidden."""

    region: Region
    fewest: int  # least number of hidden pixels inside the level
    most: int  # greatest such number
    wanted: int  # the number drawn for this object
    hidden: int = 0  # so far

    @property
    def status(self) -> str:
        """``inside`` the level, or ``below`` it."""
        return INSIDE if self.hidden >= self.fewest else BELOW

    @property
    def is_short(self) -> bool:
        """Whether it still needs an occluder."""
        return self.hidden < max(self.fewest, min(self.wanted, 1))

    def cap(self, relaxed: bool) -> int:
        """Return how many pixels occluders of others may leave hidden."""
        return self.most if relaxed else self.wanted


def _plan(
    region: Region, shares: tuple[float, float], generator: Generator
) -> Target | None:
    """Draw how many pixels of an object to hide; None if it is too small."""
    try:
        fewest, most = pixel_bounds(int(region.mask.sum()), shares)
    except UnreachableLevelError:
        return None
    room = MARGIN + (1 - 2 * MARGIN) * torch.rand(1, generator=generator)
    wanted = round(fewest + float(room) * (most - fewest))
    return Target(region, fewest, most, wanted)


class Overlay(NamedTuple):
    """An occluder, drawn in a part of the image but not yet put on it."""

    window: Window
    colours: Tensor  # (3, h, w) or broadcastable
    over: Tensor  # (h, w) alpha in [0, 1], changed in place
    reach: Tensor  # (h, w) distance from the occluder's middle; 1 is its rim


class Crowd:
    """An image while occluders are put on it, one after another.

    ``canvas`` is the image so far, (3, H, W) float; ``mask`` is (H, W) bool,
    True where a pixel is hidden.
    """

    def __init__(
        self,
        image: Tensor,
        targets: list[Target],
        kind: str,
        bank: OccluderBank,
        generator: Generator,
    ) -> None:
        self.canvas = image.to(torch.float32, copy=True)
        self.size = image.shape[1], image.shape[2]
        self.mask = torch.zeros(self.size, dtype=torch.bool)
        self.targets = targets
        self.kind = kind
        self.bank = bank
        self.generator = generator

    def serve(self, item: Target) -> None:
        """Put occluders on an object until it is inside the level."""
        for paste in range(1, MAX_PASTES + 1):
            if not item.is_short:
                return
            self.paste(item, paste > MAX_PASTES // 2, paste == MAX_PASTES)

    def paste(self, item: Target, relaxed: bool, last: bool) -> None:
        """Put one occluder on an object.

        If ``relaxed``, neighbours may be hidden up to the level's end, not
        only up to what they want; the ``last`` one covers what is missing.
        """
        free = self._free(item, relaxed)
        if not free.any():
            return
        overlay = self._draw(item, free, last)
        if last:
            _cover(item, free, overlay)
        for other in self.targets:
            if other is not item:
                self._uncover(other, other.cap(relaxed), overlay)
        self._uncover(item, item.most, overlay)
        self._commit(overlay)

    def _free(self, item: Target, relaxed: bool) -> Tensor:
        """Return the object's pixels that an occluder may hide, (h, w)."""
        window = item.region.window
        free = item.region.mask & ~self.mask[window.slices]
        for other in self.targets:
            if other is item or other.hidden < other.cap(relaxed):
                continue
            meet = other.region.window.common(window)
            if meet:
                free[meet[1]] &= ~other.region.mask[meet[0]]
        return free

    def _draw(self, item: Target, free: Tensor, whole: bool) -> Overlay:
        """Draw an occluder on one of the free pixels, (h, w) of the window."""
        box = item.region.window
        rows, cols = free.nonzero(as_tuple=True)
        corner = torch.tensor([box.left, box.top])
        points = torch.stack([cols, rows], dim=-1) + corner + 0.5
        pick = torch.randint(len(points), (1,), generator=self.generator)
        occluder = self.bank.draw(self.kind, 1, self.generator)
        missing = min(1.0, (item.wanted - item.hidden) / len(points))
        scale = fit_occluder(
            self.kind,
            self.bank,
            occluder,
            points[:: len(points) // SAMPLE + 1],
            points[pick],
            torch.tensor([missing]),
            self.size,
        )
        window = _extent(occluder, points[pick], scale, self.size)
        if whole:
            window = window.join(box)
        pixel = points[pick] - torch.tensor([window.left, window.top])
        sheets = self.bank.sheets.get(self.kind)
        colours, over = render(
            self.kind, sheets, occluder, pixel, scale, window.size
        )
        x, y = inner_axes(occluder, pixel, scale, window.size)
        reach = torch.maximum(x.abs()[0], y.abs()[0, :, None])
        return Overlay(window, colours[0], over[0, 0], reach)

    def _uncover(self, other: Target, cap: int, overlay: Overlay) -> None:
        """Take an occluder back, from its rim, where it hides too much."""
        meet = other.region.window.common(overlay.window)
        if not meet:
            return
        inside, here = meet
        over = overlay.over[here]
        new = other.region.mask[inside] & (over >= 0.5)
        new &= ~self.mask[overlay.window.slices][here]
        surplus = other.hidden + int(new.sum()) - cap
        if surplus > 0:
            rows, cols = new.nonzero(as_tuple=True)
            far = overlay.reach[here][rows, cols]
            order = far.argsort(descending=True, stable=True)[:surplus]
            over[rows[order], cols[order]] = 0

    def _commit(self, overlay: Overlay) -> None:
        """Put an occluder on the image and count what it hides."""
        window, colours, over, _ = overlay
        hidden = self.mask[window.slices]
        new = (over >= 0.5) & ~hidden
        for item in self.targets:
            meet = item.region.window.common(window)
            if meet:
                inside, here = meet
                mine = item.region.mask[inside] & new[here]
                item.hidden += int(mine.sum())
        hidden |= new
        part = self.canvas[(slice(None), *window.slices)]
        part.copy_(torch.lerp(part, colours.expand_as(part), over))


def _cover(item: Target, free: Tensor, overlay: Overlay) -> None:
    """Cover the nearest free pixels until the object is inside the level."""
    meet = item.region.window.common(overlay.window)
    if not meet:
        return
    inside, here = meet
    over, reach = overlay.over[here], overlay.reach[here]
    free = free[inside]
    covered = free & (over >= 0.5)
    missing = item.fewest - item.hidden - int(covered.sum())
    if missing > 0:
        rows, cols = (free & ~covered).nonzero(as_tuple=True)
        order = reach[rows, cols].argsort(stable=True)[:missing]
        over[rows[order], cols[order]] = 1


def _extent(
    occluder: Occluders, pixel: Tensor, scale: Tensor, size: tuple[int, int]
) -> Window:
    """Return the part of an (h, w) image that an occluder meets."""
    half = occluder.shape * scale[:, None]
    middle = pixel - occluder.anchor * half
    left, top = (middle - half).floor()[0].int().tolist()
    right, bottom = (middle + half).ceil()[0].int().tolist()
    height, width = size
    return Window(
        max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    )
