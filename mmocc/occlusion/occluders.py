"""Occluders: draw them, fit them to a hidden share, render them.

Pure functions on batches of tensors; one image is a batch of one. The few
random numbers of an image are drawn on the CPU from an explicit generator, so
that they are the same for every device.

Pixel (x, y) covers [x, x + 1) x [y, y + 1) and is represented by its centre.
An occluder is a rectangle, or a cut-out's silhouette stretched to one; inside
it, positions are (x, y) in [-1, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mmocc.occlusion.alpha import sample
from mmocc.occlusion.banks import (
    OPAQUE,
    CutoutBank,
    Folders,
    load_cutouts,
    load_textures,
    noise_sheet,
)
from mmocc.occlusion.levels import check_kind
from mmocc.occlusion.regions import Window

BISECTIONS = 14
ASPECTS = (0.5, 2.0)  # width / height of rectangles


class Occluders(NamedTuple):
    """N drawn occluders of one kind; how large and where is decided later."""

    sheet: Tensor  # (N,) index into the kind's sheets
    shape: Tensor  # (N, 2) half width and half height at scale 1
    anchor: Tensor  # (N, 2) inner point that is put on the chosen pixel
    offset: Tensor  # (N, 2) in [0, 1), start of the window into a texture

    def to(self, device: torch.device) -> 'Occluders':
        """Return the same occluders on another device."""
        return Occluders(*(t.to(device, non_blocking=True) for t in self))

    def __getitem__(  # type: ignore[override]  # of the N, not of the fields
        self, index: Tensor | slice
    ) -> 'Occluders':
        return self.take(index)

    def take(self, index: Tensor | slice) -> 'Occluders':
        """Return some of the occluders; as [], for type checkers."""
        return Occluders(*(tensor[index] for tensor in self))


@dataclass
class OccluderBank:
    """The sheets of every kind that is used: built and checked once.

    Args:
        kinds: Kinds to serve.
        texture_bank: Folder(s) of images; needed for kind ``texture``. Here
            and below, ``builtin:train`` and ``builtin:test`` name what mmocc
            draws itself: other things to test with than to train with.
        object_bank: Folder(s) of RGBA cut-outs; needed for kind ``object``.
        texture_size: Side of the texture sheets in pixels. A window of the
            image's size is cut from a sheet: small images want small sheets.

    Raises:
        ValueError: If a kind is unknown, or its folder is not given or bad.
        FileNotFoundError: If a folder does not exist.
    """

    kinds: Sequence[str]
    texture_bank: Folders | None = None
    object_bank: Folders | None = None
    texture_size: int = 256
    sheets: dict[str, Tensor] = field(init=False, repr=False)
    cutouts: CutoutBank | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self.kinds = check_banks(
            self.kinds, self.texture_bank, self.object_bank
        )
        self.sheets = {}
        if 'noise' in self.kinds:
            self.sheets['noise'] = noise_sheet()
        if 'texture' in self.kinds and self.texture_bank:
            self.sheets['texture'] = load_textures(
                self.texture_bank, self.texture_size
            )
        if 'object' in self.kinds and self.object_bank:
            self.cutouts = load_cutouts(self.object_bank)
            self.sheets['object'] = self.cutouts.sheets

    def draw(self, kind: str, num: int, generator: Generator) -> Occluders:
        """Draw ``num`` occluders of a kind."""
        sheets = len(self.sheets[kind]) if kind in self.sheets else 1
        cutouts = self.cutouts if kind == 'object' else None
        return draw_occluders(num, sheets, generator, cutouts)


def check_banks(
    kinds: Sequence[str],
    texture_bank: Folders | None,
    object_bank: Folders | None,
) -> tuple[str, ...]:
    """Return the kinds; no file is read.

    Raises:
        ValueError: If there is none, one is unknown, or its bank is not given.
    """
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds:
        raise ValueError('kinds is empty: name at least one occluder kind')
    banks = {
        'texture': (texture_bank, 'images'),
        'object': (object_bank, 'RGBA cut-outs'),
    }
    for kind in kinds:
        folder, content = banks.get(check_kind(kind), (True, ''))
        if not folder:
            raise ValueError(
                f'occluder kind {kind!r} needs {kind}_bank, a folder of '
                f"{content}, or 'builtin:test' for those that mmocc draws "
                "('builtin:train' to train with)"
            )
    return tuple(kinds)


def draw_occluders(
    num: int,
    num_sheets: int,
    generator: Generator,
    cutouts: CutoutBank | None = None,
) -> Occluders:
    """Draw occluders; all numbers come from ``generator``, on the CPU.

    Rectangles have a log-uniform aspect ratio in :data:`ASPECTS` and are
    placed by their centre; cut-outs keep theirs and are placed by one of
    their opaque points.
    """
    sheet = torch.randint(num_sheets, (num,), generator=generator)
    aspect, pick, *offset = torch.rand(4, num, generator=generator)
    if cutouts is None:
        low, high = ASPECTS
        aspect = low * (high / low) ** aspect
        anchor = torch.zeros(num, 2)
    else:
        aspect = cutouts.aspects[sheet]
        pick = (pick * cutouts.anchors.shape[1]).long()
        anchor = cutouts.anchors[sheet, pick]
    shape = torch.stack([aspect.sqrt(), aspect.rsqrt()], dim=-1)
    return Occluders(sheet, shape, anchor, torch.stack(offset, dim=-1))


def inner_coords(
    points: Tensor, occluders: Occluders, pixel: Tensor, scale: Tensor
) -> Tensor:
    """Return points as positions (N, ..., 2) inside each of N occluders.

    ``points`` (N or 1, ..., 2) are pixel centres (x, y), ``pixel`` (N, 2)
    those that the anchors are put on, ``scale`` (N,) is in pixels. Inside an
    occluder both coordinates are in [-1, 1].
    """
    middle = (slice(None),) + (None,) * (points.dim() - 2)
    half = (occluders.shape * scale[:, None])[middle]
    return (points - pixel[middle]) / half + occluders.anchor[middle]


def covers(inner: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Return which positions an occluder hides, (N, P) bool.

    ``inner`` (N, P, 2) comes from :func:`inner_coords`; ``alpha`` (N, S, S)
    uint8 are silhouettes, None for full rectangles.
    """
    inside = (inner.abs() <= 1).all(dim=-1)
    if alpha is None:
        return inside
    size = alpha.shape[-1]
    cell = ((inner + 1) * (size / 2)).long().clamp_(0, size - 1)
    flat = cell[..., 1] * size + cell[..., 0]
    return inside & (alpha.flatten(1).gather(1, flat) >= OPAQUE)


def fit_scale(
    points: Tensor,
    occluders: Occluders,
    pixel: Tensor,
    target: Tensor,
    max_scale: float,
    alpha: Tensor | None = None,
    hidden: Tensor | None = None,
    min_scale: float = 0.5,
    halvings: int = BISECTIONS,
) -> Tensor:
    """Find the size at which a share of the points is hidden, by bisection.

    Args:
        points: (N or 1, P, 2) pixel centres of the object, or a sample.
        occluders: N occluders.
        pixel: (N, 2) where each is put.
        target: (N,) wanted share of the points in [0, 1].
        max_scale: Size in pixels at which everything is hidden.
        alpha: (N, S, S) silhouettes; None for rectangles.
        hidden: (N, P) bool, points hidden already.
        min_scale: Smallest size in pixels.
        halvings: Of the range of sizes, on a logarithmic scale.

    Returns:
        (N,) scale. Rectangles meet the share up to one row of points;
        silhouettes, which may hide less when larger, only nearly do.
    """
    reach = None
    if alpha is None:
        reach = rectangle_reach(points, occluders, pixel)
    low = torch.full_like(target, min_scale).log()
    high = torch.full_like(target, max_scale).log()
    for _ in range(halvings):
        middle = (low + high) / 2
        scale = middle.exp()
        if reach is None:
            inner = inner_coords(points, occluders, pixel, scale)
            covered = covers(inner, alpha)
        else:
            covered = reach <= scale[:, None]
        if hidden is not None:
            covered = covered | hidden
        enough = covered.float().mean(dim=1) >= target
        high = torch.where(enough, middle, high)
        low = torch.where(enough, low, middle)
    return high.exp()


def rectangle_reach(
    points: Tensor, occluders: Occluders, pixel: Tensor
) -> Tensor:
    """Return from which scale on each rectangle covers each point, (N, P)."""
    offset = points - pixel[:, None]
    anchor = occluders.anchor[:, None]
    # from the anchor to the side that the point is on
    room = torch.where(offset < 0, 1 + anchor, 1 - anchor)
    return (offset.abs() / (occluders.shape[:, None] * room)).amax(dim=-1)


def pixel_grid(size: tuple[int, int], device: torch.device) -> Tensor:
    """Return the (H, W, 2) centres (x, y) of all pixels of an (h, w) image."""
    y = torch.arange(size[0], device=device) + 0.5
    x = torch.arange(size[1], device=device) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)


def mirror_tile(
    sheets: Tensor, index: Tensor, offset: Tensor, size: tuple[int, int]
) -> Tensor:
    """Cut windows (N, C, h, w) out of sheets continued by mirroring.

    ``sheets`` is (T, C, S, S), ``index`` (N,) says which, ``offset`` (N, 2)
    is a window's start (x, y) as a share of the sheet; ``size`` may exceed S.
    """
    height, width = size
    side = sheets.shape[-1]
    if max(size) > side:
        turn = torch.arange(max(size), device=sheets.device) % (2 * side)
        turn = torch.minimum(turn, 2 * side - 1 - turn)
        rows, cols = (turn[: max(length, side)] for length in size)
        sheets = sheets[index][:, :, rows[:, None], cols]
        index = torch.arange(len(index), device=sheets.device)
    # A window that fits shows no seam; a larger one starts at 0.
    left, top = (
        (start * (room + 1)).long().clamp_max(room)
        for start, room in (
            (offset[:, 0], sheets.shape[3] - width),
            (offset[:, 1], sheets.shape[2] - height),
        )
    )
    # A view of all windows; only those chosen are copied.
    windows = sheets.unfold(2, height, 1).unfold(3, width, 1)
    return windows[index, :, top, left]


def mirror_window(sheet: Tensor, offset: Tensor, window: Window) -> Tensor:
    """Return the part of a mirrored sheet that lies on a part of an image.

    All the image is tiled with the sheet (C, S, S), from a start (x, y) that
    ``offset`` (2,) in [0, 1) says. (C, h, w) for the window's (h, w).
    """
    side = sheet.shape[-1]
    starts = (offset * 2 * side).long().tolist()
    turns = [
        (start + torch.arange(low, high)) % (2 * side)
        for start, low, high in (
            (starts[0], window.left, window.right),
            (starts[1], window.top, window.bottom),
        )
    ]
    columns, rows = (torch.minimum(t, 2 * side - 1 - t) for t in turns)
    return sheet[:, rows[:, None], columns]


def inner_axes(
    occluders: Occluders, pixel: Tensor, scale: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return an image's columns (N, w) and rows (N, h) inside occluders.

    It is :func:`inner_coords` of each pixel, at a fraction of the cost.
    """
    half = occluders.shape * scale[:, None]
    x, y = (
        (torch.arange(length, device=scale.device) + 0.5 - pixel[:, i, None])
        / half[:, i, None]
        + occluders.anchor[:, i, None]
        for i, length in enumerate(size[::-1])
    )
    return x, y


def extent(
    occluder: Occluders, pixel: Tensor, scale: Tensor, size: tuple[int, int]
) -> Window:
    """Return the part of an (h, w) image that one occluder meets."""
    half = occluder.shape * scale[:, None]
    middle = pixel - occluder.anchor * half
    left, top = (middle - half).floor()[0].int().tolist()
    right, bottom = (middle + half).ceil()[0].int().tolist()
    height, width = size
    # Never empty, though a place may be rounded to the image's far border.
    top, left = min(max(top, 0), height - 1), min(max(left, 0), width - 1)
    return Window(
        top,
        left,
        max(min(bottom, height), top + 1),
        max(min(right, width), left + 1),
    )


def render(
    kind: str,
    sheets: Tensor | None,
    occluders: Occluders,
    pixel: Tensor,
    scale: Tensor,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Draw each occluder on an empty canvas of (h, w).

    ``sheets`` are the kind's on the target device, None for white; each
    occluder is put on ``pixel`` (N, 2) at ``scale`` (N,) in pixels.

    Returns:
        Colours, (N, 3, h, w) or broadcastable, float in [0, 255], BGR; and
        alpha (N, 1, h, w) in [0, 1]: 0 or 1 for rectangles, the blended
        silhouette for cut-outs. An alpha of at least 0.5 counts as hidden.
    """
    x, y = inner_axes(occluders, pixel, scale, size)
    if sheets is not None and kind == 'object':
        return sample(sheets[occluders.sheet], x, y)
    inside = (y.abs() <= 1)[:, :, None] & (x.abs() <= 1)[:, None, :]
    return fill(sheets, occluders, size).to(x), inside[:, None].float()


def fill(
    sheets: Tensor | None, occluders: Occluders, size: tuple[int, int]
) -> Tensor:
    """Return what rectangles are filled with, (N, 3, h, w) uint8, BGR.

    ``sheets`` are those of noise or textures; without, it is white, (1, 3, 1,
    1).
    """
    if sheets is None:
        return torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    return mirror_tile(sheets, occluders.sheet, occluders.offset, size)
