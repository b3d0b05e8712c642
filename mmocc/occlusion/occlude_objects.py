"""Hide a wanted share of every object: what ``mmocc.OccludeObjects`` does.

An occluder put on one object hides parts of its neighbours. So each object
draws a target inside the level; the smallest are served first; and an
occluder passes *behind* a neighbour that has its share already. No object is
hidden above the level; one whose last visible pixels all belong to such
neighbours may stay below it.

A level goes on from what the named levels below it have hidden: rectangles
grow about the same point, cut-outs are added. So what a level hides, the next
level hides as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mmocc.occlusion.levels import UnreachableLevelError, pixel_bounds
from mmocc.occlusion.occlude import (
    LARGEST_CUTOUT,
    MAX_PASTES,
    STEPS,
    levels_below,
    wanted,
)
from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    extent,
    fit_scale,
    inner_axes,
    mirror_window,
    render,
)
from mmocc.occlusion.places import ObjectPixels
from mmocc.occlusion.regions import Region, Window, hidden_share

SAMPLE = 1024  # points of the object that an occluder's size is fitted to
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
    steps = [*levels_below(shares), shares]
    rooms = torch.rand(len(regions), generator=generator).tolist()
    seeds = torch.randint(
        2**62, (len(regions), STEPS), generator=generator
    ).tolist()
    drawn = zip(regions, rooms, seeds, strict=True)
    targets = [Target(*numbers) for numbers in drawn]
    crowd = Crowd(image, targets, kind, bank)
    for number, step in enumerate(steps):
        for item in targets:
            item.aim(step)
        for item in sorted(targets, key=lambda item: item.size):
            crowd.serve(item, number)
    return ObjectsOcclusion(
        crowd.canvas.round_().to(image.dtype),
        crowd.mask,
        [hidden_share(region, crowd.mask) for region in regions],
        [item.status for item in targets],
    )


class Seat(NamedTuple):
    """Where an occluder is: its inner point is put on a pixel."""

    occluder: Occluders  # one
    pixel: Tensor  # (1, 2) in the image


@dataclass
class Target:
    """An object, how many of its pixels to hide, and how many are hidden."""

    region: Region
    room: float  # position inside each level, in [0, 1)
    seeds: list[int]  # of its occluders, for each level
    seat: Seat | None = None  # of its first rectangle
    size: int = field(init=False)
    fewest: int = 0  # least number of hidden pixels inside the level
    most: int = 0  # greatest such number
    wanted: int = 0  # the number for this object
    hidden: int = 0  # so far
    fits: bool = True  # whether a number of pixels is inside the level

    def __post_init__(self) -> None:
        self.size = int(self.region.mask.sum())

    def aim(self, shares: tuple[float, float]) -> None:
        """Set how many pixels to hide.

        An object that is too small for the level gets no occluder, but even
        so no more of it is hidden than the level allows.
        """
        try:
            self.fewest, self.most = pixel_bounds(self.size, shares)
            self.wanted = wanted((self.fewest, self.most), self.room)
            self.fits = True
        except UnreachableLevelError:
            limit = math.ceil((shares[1] - 1e-9) * self.size) - 1
            self.fewest, self.wanted, self.fits = 0, 0, False
            self.most = max(limit, 0)

    @property
    def status(self) -> str:
        """``inside`` the level, ``below`` it, or ``too_small`` for it."""
        if not self.fits:
            return TOO_SMALL
        return INSIDE if self.hidden >= self.fewest else BELOW

    @property
    def is_short(self) -> bool:
        """Whether it still needs an occluder."""
        return self.hidden < max(self.fewest, min(self.wanted, 1))

    def cap(self, relaxed: bool) -> int:
        """Return how many pixels occluders of others may leave hidden."""
        return self.most if relaxed or not self.fits else self.wanted


class Overlay(NamedTuple):
    """An occluder, drawn in a part of the image but not yet put on it."""

    window: Window
    colours: Tensor  # (3, h, w) or broadcastable
    over: Tensor  # (h, w) alpha in [0, 1], changed in place
    reach: Tensor  # (h, w) distance from the occluder's middle; 1 is its rim


class Crowd:
    """An image while occluders are put on it, each behind those before.

    ``canvas`` is the image so far, (3, H, W) float; ``mask`` is (H, W) bool,
    True where a pixel is hidden.
    """

    def __init__(
        self,
        image: Tensor,
        targets: list[Target],
        kind: str,
        bank: OccluderBank,
    ) -> None:
        self.image = image
        self.canvas = image.to(torch.float32, copy=True)
        self.size = image.shape[1], image.shape[2]
        self.mask = torch.zeros(self.size, dtype=torch.bool)
        self.seen = torch.ones(self.size)  # share of the image's light
        self.targets = targets
        self.kind = kind
        self.bank = bank

    def serve(self, item: Target, number: int) -> None:
        """Put occluders on an object until it is inside the level."""
        generator = Generator().manual_seed(item.seeds[number])
        for paste in range(1, MAX_PASTES + 1):
            if not item.is_short:
                return
            free = self._free(item, paste > MAX_PASTES // 2)
            if not free.any():
                continue
            seat = item.seat if paste == 1 else None
            if seat is None:
                seat = self._seat(item, free, generator)
            if item.seat is None and self.kind != 'object':
                item.seat = seat
            relaxed, last = paste > MAX_PASTES // 2, paste == MAX_PASTES
            self.paste(item, free, seat, relaxed, last)

    def paste(
        self,
        item: Target,
        free: Tensor,
        seat: Seat,
        relaxed: bool,
        last: bool,
    ) -> None:
        """Put one occluder on an object, whose ``free`` pixels it may hide.

        If ``relaxed``, neighbours may be hidden up to the level's end, not
        only up to what they want; the ``last`` one covers what is missing.
        """
        overlay = self._draw(item, free, seat, last)
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

    def _seat(self, item: Target, free: Tensor, generator: Generator) -> Seat:
        """Draw an occluder, and a free pixel of an object to put it on.

        The place is drawn on the whole object; only where that is not free,
        on what is free of it.
        """
        place = torch.rand(1, 2, generator=generator, dtype=torch.float64)
        occluder = self.bank.draw(self.kind, 1, generator)
        pixel = ObjectPixels(item.region.mask).at(place)
        x, y = pixel[0].long().tolist()
        if not free[y, x]:
            pixel = ObjectPixels(free).at(place)
        window = item.region.window
        corner = torch.tensor([window.left, window.top])
        return Seat(occluder, pixel + corner)

    def _draw(
        self, item: Target, free: Tensor, seat: Seat, whole: bool
    ) -> Overlay:
        """Draw an occluder so large that it hides what is missing."""
        box, (occluder, pixel) = item.region.window, seat
        rows, cols = free.nonzero(as_tuple=True)
        corner = torch.tensor([box.left, box.top])
        points = torch.stack([cols, rows], dim=-1) + corner + 0.5
        missing = min(1.0, (item.wanted - item.hidden) / len(points))
        sample = points[:: len(points) // SAMPLE + 1]
        scale = self._fit(occluder, sample, pixel, missing)
        window = extent(occluder, pixel, scale, self.size)
        if whole:
            window = window.join(box)
        inner = pixel - torch.tensor([window.left, window.top])
        x, y = inner_axes(occluder, inner, scale, window.size)
        reach = torch.maximum(x.abs()[0], y.abs()[0, :, None])
        sheets = self.bank.sheets.get(self.kind)
        if self.kind == 'object':
            colours, over = render(
                self.kind, sheets, occluder, inner, scale, window.size
            )
            return Overlay(window, colours[0], over[0, 0], reach)
        colours = torch.full((3, 1, 1), 255.0)
        if sheets is not None:
            colours = mirror_window(
                sheets[occluder.sheet[0]], occluder.offset[0], window
            ).float()
        return Overlay(window, colours, (reach <= 1).float(), reach)

    def _fit(
        self,
        occluder: Occluders,
        points: Tensor,
        pixel: Tensor,
        share: float,
    ) -> Tensor:
        """Return the (1,) scale at which a share of points (n, 2) hides.

        A cut-out stays below about the image's size.
        """
        alpha, largest = None, 4.0
        if self.kind == 'object':
            alpha = self.bank.sheets[self.kind][occluder.sheet, 3]
            largest = LARGEST_CUTOUT
        return fit_scale(
            points[None],
            occluder,
            pixel,
            torch.tensor([share]),
            max_scale=max(self.size) * largest,
            alpha=alpha,
        )

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
        place = (slice(None), *window.slices)
        light = over * self.seen[window.slices]
        self.canvas[place] += light * (colours - self.image[place])
        self.seen[window.slices] -= light


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
