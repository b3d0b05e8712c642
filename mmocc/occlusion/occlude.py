"""Hide a wanted share of one object: what ``mmocc.Occlude`` does.

All random numbers are drawn first, always as many and in the same order. What
they mean is relative to the object: a place on it, a position inside the
level, an aspect ratio. So with one state of the generator

- the picture of an object is hidden alike at every size of it;
- occluders of every kind are at the same place, and rectangles are the same;
- what a level hides, the next level hides as well, and more.
"""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from mmocc.occlusion.levels import (
    HARD_LEVELS,
    LEVELS,
    UnreachableLevelError,
    pixel_bounds,
)
from mmocc.occlusion.occluders import (
    BISECTIONS,
    OccluderBank,
    Occluders,
    extent,
    fill,
    fit_scale,
    inner_axes,
    render,
)
from mmocc.occlusion.places import ObjectPixels, lattice
from mmocc.occlusion.regions import Window

# To be raised whenever the same arguments hide other pixels, or show others.
OCCLUSION_VERSION = 2

STEPS = len(HARD_LEVELS) + 1  # a level above all named ones comes after them
MAX_PASTES = 16  # cut-outs that a level may add; thin ones need several
SIDE = 32  # the object is sampled by 32 x 32 points to size a cut-out
MARGIN = 0.1  # of the level's range, kept free so that the fit lands inside
LARGEST_CUTOUT = 0.75  # scale, as a share of the image's longer side


class Draws(NamedTuple):
    """All random numbers of an occlusion."""

    room: float  # position inside the level, in [0, 1)
    places: Tensor  # (n, 2) shares for ObjectPixels.at, float64
    occluders: Occluders  # n

    def of_stage(self, number: int) -> 'Draws':
        """Return the part that a level adds, by its number from 0."""
        start = number * MAX_PASTES
        part = slice(start, start + MAX_PASTES)
        return Draws(self.room, self.places[part], self.occluders.take(part))


def draw_all(kind: str, bank: OccluderBank, generator: Generator) -> Draws:
    """Draw the numbers of an occlusion: as many for each kind and level."""
    room = float(torch.rand(1, generator=generator))
    num = STEPS * MAX_PASTES
    places = torch.rand(num, 2, generator=generator, dtype=torch.float64)
    return Draws(room, places, bank.draw(kind, num, generator))


def occlude_object(
    image: Tensor,
    region: Tensor,
    kind: str,
    shares: tuple[float, float],
    bank: OccluderBank,
    generator: Generator,
    place: tuple[float, float] | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide a share of an object's pixels that lies inside a level, always.

    A rectangle grows about a random point of the object until it hides the
    wanted number of pixels. A cut-out is put on the same point and scaled by
    bisection. It is no larger than about the image, so several may be needed;
    and a level goes on from what the named levels below it have hidden. The
    few pixels that are left over or missing after the fit are uncovered or
    covered at the occluder's rim.

    Args:
        image: (3, H, W) uint8, BGR; not changed in place.
        region: (H, W) bool, the object; on the CPU.
        kind: Occluder kind.
        shares: Wanted hidden share ``(low, high)`` of the object.
        bank: Sheets to fill occluders with; must serve ``kind``.
        generator: Source of all random numbers.
        place: Where the occluders are put, as shares in [0, 1) of
            :meth:`ObjectPixels.at`, (0.5, 0.5) for the middle; without, it is
            drawn.

    Returns:
        The occluded image, and (H, W) bool, True where a pixel is hidden.

    Raises:
        ValueError: If the object has no pixel, or too few for the level.
    """
    pixels = ObjectPixels(region)
    bounds = pixel_bounds(len(pixels), shares)
    if bounds[1] == 0:
        return image.clone(), torch.zeros_like(region)
    draws = draw_all(kind, bank, generator)
    if place is not None:
        chosen = torch.tensor(place, dtype=torch.float64)
        draws = draws._replace(places=chosen.expand_as(draws.places))
    if kind == 'object':
        pile = Pile(image, pixels, bank)
        for number, step in enumerate([*levels_below(shares), shares]):
            with suppress(UnreachableLevelError):
                bounds = pixel_bounds(len(pixels), step)
                pile.cover(bounds, draws.of_stage(number))
        return pile.canvas.round_().to(image.dtype), pile.mask
    occluder = draws.occluders.take(slice(1))
    pixel = pixels.at(draws.places[:1])
    reach = reach_of(occluder, pixel, torch.ones(1), pixels.size)
    mask = grow(reach, pixels.index, wanted(bounds, draws.room))
    colours = fill(bank.sheets.get(kind), occluder, pixels.size)
    # made contiguous, since torch is slow on an image turned from (H, W, 3)
    return torch.where(mask, colours[0], image.contiguous()), mask


def levels_below(shares: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the named levels that lie wholly below a level."""
    named = [LEVELS[level] for level in HARD_LEVELS]
    return [level for level in named if level[1] <= shares[0]]


def wanted(bounds: tuple[int, int], room: float) -> int:
    """Return how many pixels to hide: a position in [0, 1] inside a level.

    At least one, if the level allows it.
    """
    fewest, most = bounds
    count = fewest + (MARGIN + (1 - 2 * MARGIN) * room) * (most - fewest)
    return max(round(count), min(1, most))


def reach_of(
    occluder: Occluders, pixel: Tensor, scale: Tensor, size: tuple[int, int]
) -> Tensor:
    """Return (H, W): how often larger it is when it meets each pixel.

    That is of an occluder's outline, a rectangle, whose ``scale`` is (1,).
    """
    x, y = inner_axes(occluder, pixel, scale, size)
    return torch.maximum(x.abs()[0], y.abs()[0, :, None])


def grow(reach: Tensor, index: Tensor, count: int) -> Tensor:
    """Return (H, W) bool: what hides ``count`` of the object's pixels.

    They are those of the smallest ``reach`` (H, W) and, of equal ones, the
    first of ``index`` (n,): a larger count hides the same pixels and more.
    """
    mine = reach.flatten().index_select(0, index)
    limit = float(np.partition(mine.numpy(), count - 1)[count - 1])
    mask = reach <= limit
    surplus = int((mine <= limit).sum()) - count
    if surplus:
        mask.view(-1)[index[mine == limit][-surplus:]] = False
    return mask


class Pile:
    """An image with cut-outs on it, each of them behind those before.

    So what is hidden keeps its colours when more is hidden. ``canvas`` is
    the image so far, (3, H, W) float; ``mask`` is (H, W) bool, True where a
    pixel is hidden.

    Args:
        image: (3, H, W) uint8; not changed.
        pixels: The object.
        bank: Holds the cut-outs.
    """

    def __init__(
        self, image: Tensor, pixels: ObjectPixels, bank: OccluderBank
    ) -> None:
        self.image = image.float().contiguous()  # or every step of it is slow
        self.canvas = self.image.clone()
        self.mask = torch.zeros(pixels.size, dtype=torch.bool)
        self.seen = torch.ones(pixels.size)  # share of the image's light
        self.hidden = 0  # pixels of the object
        self.pixels = pixels
        self.sheets = bank.sheets['object']
        self.points = pixels.at(lattice(SIDE))

    def cover(self, bounds: tuple[int, int], draws: Draws) -> None:
        """Add cut-outs until the number of hidden pixels is within bounds.

        Their places are drawn on all of the object. On what is seen of it, a
        pixel more or less of those before would often move a cut-out across
        them.
        """
        fewest, most = bounds
        share = wanted(bounds, draws.room) / len(self.pixels)
        size, pixels = self.pixels.size, self.pixels.at(draws.places)
        for paste in range(MAX_PASTES):
            part = slice(paste, paste + 1)
            occluder, pixel = draws.occluders.take(part), pixels[part]
            scale = self._fit(occluder, pixel, share)
            window = extent(occluder, pixel, scale, size)
            colours, over = self._render(occluder, pixel, scale, window)
            count = self.hidden + self._new(window, over)
            if count > most or (count < fewest and paste == MAX_PASTES - 1):
                count = most if count > most else fewest
                window = Window(0, 0, *size)
                colours, over = self._render(occluder, pixel, scale, window)
                reach = reach_of(occluder, pixel, scale, size)
                adjust(over, self.mask, reach, self.pixels.index, count)
            self._put(window, colours, over)
            self.hidden = count
            if count >= fewest:
                break

    def _fit(self, occluder: Occluders, pixel: Tensor, share: float) -> Tensor:
        """Return the (1,) scale at which a share of the object is hidden."""
        x, y = self.points.long().unbind(-1)
        largest = LARGEST_CUTOUT * max(self.pixels.size)
        return fit_scale(
            self.points[None],
            occluder,
            pixel,
            torch.tensor([share]),
            max_scale=largest,
            min_scale=largest / 2**BISECTIONS,
            alpha=self.sheets[occluder.sheet, 3],
            hidden=self.mask[y, x][None],
        )

    def _render(
        self,
        occluder: Occluders,
        pixel: Tensor,
        scale: Tensor,
        window: Window,
    ) -> tuple[Tensor, Tensor]:
        """Return (3, h, w) colours and (h, w) alpha in a part of the image."""
        inner = pixel - torch.tensor([window.left, window.top])
        colours, alpha = render(
            'object', self.sheets, occluder, inner, scale, window.size
        )
        return colours[0], alpha[0, 0]

    def _new(self, window: Window, over: Tensor) -> int:
        """Return how many pixels of the object an alpha would hide, too."""
        part = window.slices
        mine = self.pixels.region[part] & ~self.mask[part]
        return int((mine & (over >= 0.5)).sum())

    def _put(self, window: Window, colours: Tensor, over: Tensor) -> None:
        """Put a cut-out behind the others."""
        part, planes = window.slices, (slice(None), *window.slices)
        self.mask[part] |= over >= 0.5
        light = over * self.seen[part]
        self.canvas[planes] += light * (colours - self.image[planes])
        self.seen[part] -= light


def adjust(
    over: Tensor, mask: Tensor, reach: Tensor, index: Tensor, count: int
) -> None:
    """Change an occluder's alpha at its rim so that ``count`` pixels hide.

    ``over`` (H, W) is changed in place; ``mask`` (H, W) is hidden already;
    ``reach`` (H, W) is how far pixels are from the occluder's middle;
    ``index`` (n,) are the object's pixels.
    """
    hidden, reach = mask.flatten()[index], reach.flatten()[index]
    mine = ~hidden & (over.flatten()[index] >= 0.5)
    change = count - int(hidden.sum()) - int(mine.sum())
    if change < 0:  # uncover the outermost of this occluder's pixels
        order = torch.where(mine, -reach, torch.inf).argsort(stable=True)
    else:  # cover the nearest of the visible pixels
        taken = mine | hidden
        order = torch.where(taken, torch.inf, reach).argsort(stable=True)
    over.view(-1)[index[order[: abs(change)]]] = float(change > 0)
