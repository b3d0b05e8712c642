"""Hide-and-Seek: hide cells of a grid, or segments of a sequence of frames.

arXiv 1704.04232 (cells, section 3.1; segments, section 3.3) and 1811.02545.
"""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bools = NDArray[np.bool_]


def check_grid(
    grid_sizes: Sequence[float],
    hide_prob: float,
    name: str = 'grid_sizes',
    unit: str = 'pixels',
) -> list[int]:
    """Return the sides of cells (or lengths of segments) as a list.

    Raises:
        ValueError: If there is none, one is negative or not a whole number,
            or the probability is outside [0, 1].
    """
    # The rest of inf or NaN is NaN, which is true.
    if not len(grid_sizes) or any(n < 0 or n % 1 for n in grid_sizes):
        raise ValueError(
            f'{name} must be whole numbers of {unit} >= 0, got '
            f'{list(grid_sizes)}'
        )
    if not 0 <= hide_prob <= 1:
        raise ValueError(f'hide_prob must be in [0, 1], got {hide_prob}')
    return [int(size) for size in grid_sizes]


def check_segments(lengths: Sequence[float], hide_prob: float) -> list[int]:
    """Return lengths of segments as a list, as :func:`check_grid`."""
    return check_grid(lengths, hide_prob, 'segment_lengths', 'frames')


def draw_grid(size: tuple[int, int], cell: int, prob: float) -> Bools:
    """Draw which cells of a grid are hidden, each with the same probability.

    The grid starts at the top-left corner; the border may cut off the last
    row and column, which are hidden as often as the others. A cell larger
    than the image is one cell, cut off.

    Args:
        size: (H, W) of the image.
        cell: Side of a cell in pixels; 0 hides nothing.
        prob: Probability that a cell is hidden.

    Returns:
        (rows, columns) bool, True where a cell is hidden; rows and columns
        are H / cell and W / cell, rounded up. (0, 0) for cell 0.
    """
    if not cell:
        return np.zeros((0, 0), bool)
    shape = [-(-side // cell) for side in size]
    return np.random.random_sample(shape) < prob


def hide_cells(
    image: NDArray[Any], hidden: Bools, cell: int, canvas: NDArray[Any]
) -> NDArray[Any]:
    """Copy an image to a canvas of its shape, except the hidden cells.

    The other way, filling a copy of the image cell by cell, is slower: many
    small cells are many assignments.

    Args:
        image: (H, W) or (H, W, C) of a type that OpenCV copies.
        hidden: From :func:`draw_grid`.
        cell: Side of a cell in pixels, at least 1.
        canvas: What hidden pixels get, of the image's shape and type, such
            as :func:`paint`'s; changed in place.

    Returns:
        The canvas.
    """
    visible = cell_mask(image.shape[:2], ~hidden, cell)
    # OpenCV returns (H, W, 1) as (H, W).
    return cv2.copyTo(image, visible, canvas).reshape(image.shape)


def paint(image: NDArray[Any], colour: NDArray[Any]) -> NDArray[Any]:
    """Return an image like the given one, in a single colour.

    Args:
        image: (H, W) or (H, W, C).
        colour: A number for each channel, of the image's type.
    """
    # Broadcasting the few channels to pixels takes thirty times as long.
    pixels = bytearray(colour.tobytes()) * math.prod(image.shape[:2])
    return np.frombuffer(pixels, image.dtype).reshape(image.shape)


def cell_mask(
    size: Sequence[int], hidden: Bools, cell: int
) -> NDArray[np.uint8]:
    """Return the (H, W) uint8 mask of hidden pixels, 1 = hidden."""
    if not cell:
        return np.zeros(size, np.uint8)
    mask = hidden.view(np.uint8).repeat(cell, axis=1).repeat(cell, axis=0)
    return mask[: size[0], : size[1]]


def draw_rows(
    size: tuple[int, int],
    cells: Tensor,
    prob: float,
    smallest: int,
    regions: Tensor | None = None,
    step: int = 1,
) -> tuple[Tensor, Tensor]:
    """Draw the hidden cells of a batch, on its device, without waiting for it.

    Each image has its own grid, as from :func:`draw_grid`; there is no loop
    over images. Random numbers come from the device's global generator. All
    rows of pixels in a row of cells are alike, so each is made once;
    :func:`spread_rows` turns them into masks.

    Args:
        size: (H, W) of the batch.
        cells: (N,) int64 sides of the cells in pixels; 0 hides nothing.
        prob: Probability that a cell is hidden.
        smallest: The smallest side that is not 0; it bounds the memory.
        regions: (N, 2) int64 (h, w) of each image within the batch, from its
            top-left corner; beyond it (padding), nothing is hidden.
        step: Rows of pixels that are certainly alike, a divisor of the sides
            and of the regions' heights except H: one is made for each
            ``step``.

    Returns:
        (N, R, W) bool rows of pixels, True = hidden, and the (N, H / step)
        int64 row that each row of pixels is, counted through the batch; H /
        step is rounded up. With regions the last of an image's R rows hides
        nothing; without them no row of pixels refers to it.
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

    Whole rows are copied, which is ten times as fast as gathering pixels.
    """
    number, height = row.shape
    mask = rows.flatten(0, 1).index_select(0, row.flatten())
    return mask.view(number, 1, height, rows.shape[2])


def draw_segments(clips: int, frames: int, length: int, prob: float) -> Bools:
    """Draw the hidden frames of some clips, segment by segment.

    Segments start at the first frame; the end may cut off the last one, which
    is hidden as often as the others.

    Args:
        clips: Number of clips, each with its own hidden segments.
        frames: Number of frames of a clip.
        length: Frames of a segment; 0 hides nothing.
        prob: Probability that a segment is hidden.

    Returns:
        (clips, frames) bool, True = hidden.
    """
    if not length:
        return np.zeros((clips, frames), bool)
    segments = np.random.random_sample((clips, -(-frames // length))) < prob
    return segments.repeat(length, axis=1)[:, :frames]


def draw_batch_segments(lengths: Tensor, frames: int, prob: float) -> Tensor:
    """Draw the hidden frames of a batch, on its device.

    Args:
        lengths: (N,) int64 frames of each clip's segments; 0 hides nothing.
        frames: Number of frames of a clip.
        prob: Probability that a segment is hidden.

    Returns:
        (N, frames) bool, True = hidden.
    """
    device = lengths.device
    hidden = torch.rand(len(lengths), frames, device=device) < prob
    hidden &= (lengths > 0)[:, None]
    segment = torch.arange(frames, device=device) // lengths.clamp(1)[:, None]
    return hidden.gather(1, segment)
