"""Hide-and-Seek: hide cells of a grid, or segments of a sequence of frames.

arXiv 1704.04232 (cells, section 3.1; segments, section 3.3) and 1811.02545.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bools = NDArray[np.bool_]
# Pixels that are copied at a time, the most first.
BLOCKS = (16, 8)


def check_grid(
    grid_sizes: float | Sequence[float],
    hide_prob: float,
    name: str = 'grid_sizes',
    unit: str = 'pixels',
) -> list[int]:
    """Return the side(s) of cells (or lengths of segments) as a list.

    Raises:
        ValueError: If there is none, one is not a whole number >= 0, or the
            probability is outside [0, 1].
    """
    sizes = np.ravel(grid_sizes).tolist()
    # The rest of inf or NaN is NaN, which is true.
    if not sizes or any(n < 0 or n % 1 for n in sizes):
        raise ValueError(
            f'{name} must be whole numbers of {unit} >= 0, got {sizes}'
        )
    if not 0 <= hide_prob <= 1:
        raise ValueError(f'hide_prob must be in [0, 1], got {hide_prob}')
    return [int(size) for size in sizes]


def check_segments(
    lengths: float | Sequence[float], hide_prob: float
) -> list[int]:
    """Return lengths of segments as a list, as :func:`check_grid`."""
    return check_grid(lengths, hide_prob, 'segment_lengths', 'frames')


def draw_grid(
    size: tuple[int, int],
    cell: int,
    prob: float,
    draw: Callable[[list[int]], Any] = np.random.random_sample,
) -> Bools:
    """Draw which cells of a grid are hidden, each with probability ``prob``.

    The grid starts at the top-left corner of the (H, W) image; the border may
    cut off the last row and column. A cell's side is in pixels. ``draw``
    gives an array of a shape, uniform in [0, 1).

    Returns:
        (H / cell, W / cell) bool, rounded up; (0, 0) for cell 0.
    """
    if not cell:
        return np.zeros((0, 0), bool)
    shape = [-(-side // cell) for side in size]
    hidden: Bools = draw(shape) < prob
    return hidden


def hide_cells(
    image: NDArray[Any], hidden: Bools, cell: int, canvas: NDArray[Any]
) -> NDArray[Any]:
    """Copy an image to a canvas, except the hidden cells of :func:`draw_grid`.

    The image is (H, W) or (H, W, C) of a type that OpenCV copies. The canvas
    holds what hidden pixels get, in the image's shape and type, such as
    :func:`paint`'s; it is changed in place and returned. To fill many small
    cells one by one is slower.
    """
    step = _block(image, cell) if canvas.flags.c_contiguous else 1
    visible = _spread(image.shape[:2], ~hidden, cell, step)
    return _copy_visible(image, visible, canvas)


def hide_planes(
    planes: NDArray[Any], hidden: Bools, cell: int, canvas: NDArray[Any]
) -> NDArray[Any]:
    """Do as :func:`hide_cells` for channels (C, H, W), with one mask."""
    step = _block(planes[0], cell) if canvas.flags.c_contiguous else 1
    visible = _spread(planes.shape[1:], ~hidden, cell, step)
    for plane, target in zip(planes, canvas, strict=True):
        _copy_visible(plane, visible, target)
    return canvas


def _copy_visible(
    image: NDArray[Any], visible: NDArray[np.uint8], canvas: NDArray[Any]
) -> NDArray[Any]:
    """Copy where a mask (H, W / block) is 1; the canvas is returned."""
    if visible.shape == image.shape[:2]:
        # OpenCV returns (H, W, 1) as (H, W).
        return cv2.copyTo(image, visible, canvas).reshape(image.shape)
    blocks, target = (
        a.reshape(len(a), -1).view(np.int32).reshape(*visible.shape, -1)
        for a in (image, canvas)
    )
    cv2.copyTo(blocks, visible, target)
    return canvas


def _block(image: NDArray[Any], cell: int) -> int:
    """Return how many pixels of a row OpenCV can take for one.

    Cells and rows must be made of such blocks. A mask of blocks is smaller,
    and whole blocks are copied faster than single pixels; blocks of four are
    not.
    """
    if image.itemsize > 1 or not image.flags.c_contiguous:
        return 1
    width = image.shape[1]
    return next((n for n in BLOCKS if not (cell % n or width % n)), 1)


def paint(image: NDArray[Any], colour: NDArray[Any]) -> NDArray[Any]:
    """Return an image like the given one, in a single colour.

    ``colour`` has a number for each channel, of the image's type.
    """
    # Broadcasting the few channels to pixels takes thirty times as long.
    pixels = bytearray(colour.tobytes()) * math.prod(image.shape[:2])
    return np.frombuffer(pixels, image.dtype).reshape(image.shape)


def cell_mask(
    size: Sequence[int], hidden: Bools, cell: int
) -> NDArray[np.uint8]:
    """Return the (H, W) uint8 mask of hidden pixels, 1 = hidden."""
    return _spread(size, hidden, cell, 1)


def _spread(
    size: Sequence[int], hidden: Bools, cell: int, step: int
) -> NDArray[np.uint8]:
    """Return a mask as :func:`cell_mask`, for blocks of ``step`` columns."""
    height, width = size[0], size[1] // step
    if not cell:
        return np.zeros((height, width), np.uint8)
    mask = hidden.view(np.uint8).repeat(cell // step, axis=1)
    return mask[:, :width].repeat(cell, axis=0)[:height]


def draw_rows(
    size: tuple[int, int],
    cells: Tensor,
    prob: float,
    smallest: int,
    regions: Tensor | None = None,
    step: int = 1,
) -> tuple[Tensor, Tensor]:
    """Draw the hidden cells of a batch, on its device, without waiting for it.

    Each image has its own grid, as from :func:`draw_grid`, drawn by the
    device's global generator. All rows of pixels in a row of cells are alike,
    so each is made once; :func:`spread_rows` turns them into masks.

    Args:
        size: (H, W) of the batch.
        cells: (N,) int64 sides of the cells in pixels; 0 hides nothing.
        prob: Probability that a cell is hidden.
        smallest: The smallest side that is not 0; it bounds the memory.
        regions: (N, 2) int64 (h, w) of each image within the batch, from its
            top-left corner; beyond it (padding), nothing is hidden.
        step: Rows of pixels that are certainly alike, a divisor of the sides
            and of the regions' heights except H.

    Returns:
        (N, R, W) bool rows of pixels, True = hidden; and (N, H / step) int64,
        rounded up: the row for each ``step`` rows of pixels, counted through
        the batch. With regions, an image's last row hides nothing.
    """
    device = cells.device
    height, width = size
    rows, columns = -(-height // smallest), -(-width // smallest)
    probs = prob * (cells > 0)[:, None, None]
    hidden = torch.rand(len(cells), rows + 1, columns, device=device) < probs
    sides = cells.clamp(min=smallest)[:, None]
    y = torch.arange(0, height, step, device=device)
    x = torch.arange(width, device=device)
    hidden = hidden.gather(2, (x // sides)[:, None].expand(-1, rows + 1, -1))
    row = y // sides
    if regions is not None:
        hidden[:, -1:] = False  # not by an index, which is sent to the device
        hidden &= (x < regions[:, 1:])[:, None]
        row = row.where(y < regions[:, :1], rows)
    first = torch.arange(len(cells), device=device)[:, None] * (rows + 1)
    return hidden, row + first


def spread_rows(rows: Tensor, row: Tensor) -> Tensor:
    """Return masks (N, 1, H / step, W) of the rows of :func:`draw_rows`.

    To copy whole rows is ten times as fast as to gather pixels.
    """
    number, height = row.shape
    mask = rows.flatten(0, 1).index_select(0, row.flatten())
    return mask.view(number, 1, height, rows.shape[2])


def draw_segments(clips: int, frames: int, length: int, prob: float) -> Bools:
    """Draw the hidden frames (clips, frames), True = hidden, by segments.

    A segment has ``length`` frames (0 hides nothing) and is hidden with
    probability ``prob``. The end may cut off the last one.
    """
    if not length:
        return np.zeros((clips, frames), bool)
    segments = np.random.random_sample((clips, -(-frames // length))) < prob
    return segments.repeat(length, axis=1)[:, :frames]


def draw_batch_segments(lengths: Tensor, frames: int, prob: float) -> Tensor:
    """Draw the hidden frames (N, frames) of a batch as :func:`draw_segments`.

    ``lengths`` (N,) int64 are the frames of each clip's segments; the result
    is on its device.
    """
    device = lengths.device
    hidden = torch.rand(len(lengths), frames, device=device) < prob
    hidden &= (lengths > 0)[:, None]
    segment = torch.arange(frames, device=device) // lengths.clamp(1)[:, None]
    return hidden.gather(1, segment)
