"""Put occluders on objects that overlap, none above its level.

The steps of :func:`mmocc.occlusion.occlude_objects.occlude_objects`.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mmocc.occlusion.occlude import MAX_PASTES, SAMPLE, fit_occluder
from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    inner_axes,
    render,
)
from mmocc.occlusion.regions import Region, Window


@dataclass
class Target:
    """An object, how many of its pixels shall be hidden, how many are.

    Attributes:
        region: The object.
        fewest: Least number of hidden pixels inside the level.
        most: Greatest such number.
        wanted: The number drawn for this object.
        hidden: Pixels that are hidden so far.
    """

    region: Region
    fewest: int
    most: int
    wanted: int
    hidden: int = 0

    @property
    def is_short(self) -> bool:
        """Whether it still needs an occluder."""
        return self.hidden < max(self.fewest, min(self.wanted, 1))

    def cap(self, relaxed: bool) -> int:
        """Return how many pixels occluders of others may leave hidden."""
        return self.most if relaxed else self.wanted


class Crowd:
    """An image while occluders are put on it, one after another.

    Args:
        image: (3, H, W) uint8, BGR; not changed in place.
        targets: The objects.
        kind: Occluder kind.
        bank: Sheets to fill occluders with.
        generator: Source of all random numbers.

    Attributes:
        canvas: (3, H, W) float, the image so far.
        mask: (H, W) bool, True where a pixel is hidden.
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
        self.mask = torch.zeros(image.shape[1:], dtype=torch.bool)
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

        Args:
            item: The object.
            relaxed: Let neighbours be hidden up to the level's end rather
                than up to what they want.
            last: Cover what is missing pixel by pixel.
        """
        free = self._free(item, relaxed)
        rows, cols = free.nonzero(as_tuple=True)
        if not len(rows):
            return
        box = item.region.window
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
            self.mask.shape,
        )
        window = _extent(occluder, points[pick], scale, self.mask.shape)
        if last:
            window = window.join(box)
        pixel = points[pick] - torch.tensor([window.left, window.top])
        colours, over, reach = self._render(occluder, pixel, scale, window)
        if last:
            self._fill(item, free, window, over, reach)
        for other in self.targets:
            if other is not item:
                cap = other.cap(relaxed)
                self._uncover(other, cap, window, over, reach)
        self._uncover(item, item.most, window, over, reach)
        self._commit(window, colours, over)

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

    def _render(
        self, occluder: Occluders, pixel: Tensor, scale: Tensor, window: Window
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw an occluder in a window of the image.

        Returns:
            Colours (3, h, w) or broadcastable; coverage (h, w) in [0, 1]; and
            the distance (h, w) from the occluder's middle: 1 is its rim.
        """
        sheets = self.bank.sheets.get(self.kind)
        colours, over = render(
            self.kind, sheets, occluder, pixel, scale, window.size
        )
        x, y = inner_axes(occluder, pixel, scale, window.size)
        reach = torch.maximum(x.abs()[0], y.abs()[0, :, None])
        return colours[0], over[0, 0], reach

    def _fill(
        self,
        item: Target,
        free: Tensor,
        window: Window,
        over: Tensor,
        reach: Tensor,
    ) -> None:
        """Cover the nearest free pixels until the object is served."""
        inside, here = item.region.window.common(window)
        cover, near = over[here], reach[here]
        free = free[inside]
        covered = free & (cover >= 0.5)
        lacking = item.fewest - item.hidden - int(covered.sum())
        if lacking > 0:
            rows, cols = (free & ~covered).nonzero(as_tuple=True)
            order = near[rows, cols].argsort(stable=True)[:lacking]
            cover[rows[order], cols[order]] = 1

    def _uncover(
        self,
        other: Target,
        cap: int,
        window: Window,
        over: Tensor,
        reach: Tensor,
    ) -> None:
        """Take an occluder back, from its rim, where it hides too much."""
        meet = other.region.window.common(window)
        if not meet:
            return
        inside, here = meet
        cover = over[here]
        new = other.region.mask[inside] & (cover >= 0.5)
        new &= ~self.mask[window.slices][here]
        surplus = other.hidden + int(new.sum()) - cap
        if surplus > 0:
            rows, cols = new.nonzero(as_tuple=True)
            far = reach[here][rows, cols]
            order = far.argsort(descending=True, stable=True)[:surplus]
            cover[rows[order], cols[order]] = 0

    def _commit(self, window: Window, colours: Tensor, over: Tensor) -> None:
        """Draw an occluder and count what it hides of each object."""
        seen = self.mask[window.slices]
        new = (over >= 0.5) & ~seen
        for item in self.targets:
            meet = item.region.window.common(window)
            if meet:
                inside, here = meet
                mine = item.region.mask[inside] & new[here]
                item.hidden += int(mine.sum())
        seen |= new
        part = self.canvas[(slice(None), *window.slices)]
        part.copy_(torch.lerp(part, colours.expand_as(part), over))


def _extent(
    occluder: Occluders,
    pixel: Tensor,
    scale: Tensor,
    size: tuple[int, int],
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
