"""Hiding the cells of a grid: Hide-and-Seek (arXiv 1704.04232, 1811.02545)."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor


def check_grid(grid_sizes: Sequence[int], hide_prob: float) -> list[int]:
    """Return the sides of cells as a list.

    Raises:
        ValueError: If there is none, one is negative or no whole number, or
            the probability is outside [0, 1].
    """
    # The rest of inf or NaN is NaN, which is true.
    if not len(grid_sizes) or any(n < 0 or n % 1 for n in grid_sizes):
        raise ValueError(
            'grid_sizes must be whole numbers of pixels >= 0, got '
            f'{list(grid_sizes)}'
        )
    if not 0 <= hide_prob <= 1:
        raise ValueError(f'hide_prob must be in [0, 1], got {hide_prob}')
    return [int(size) for size in grid_sizes]


def draw_grid(size: tuple[int, int], cell: int, prob: float) -> np.ndarray:
    """Draw which cells of a grid are hidden, each with the same probability.

    The grid starts at the top-left corner; the last row and column may be
    cut off by the border, and are hidden as often as the others. A cell
    larger than the image is one cell, cut off.

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
    image: np.ndarray, hidden: np.ndarray, cell: int, canvas: np.ndarray
) -> np.ndarray:
    """Show an image on a canvas of its shape, but for the hidden cells.

    The other way round, filling a copy of the image cell by cell, is slower:
    many small cells are many assignments.

    Args:
        image: (H, W) or (H, W, C) of a type that OpenCV copies.
        hidden: From :func:`draw_grid`.
        cell: Side of a cell in pixels, at least 1.
        canvas: What hidden pixels get, of the image's shape and type, such
            as :func:`paint`'s; changed in place.

    Returns:
        The canvas.
    """
    shown = cell_mask(image.shape[:2], ~hidden, cell)
    # OpenCV returns (H, W, 1) as (H, W).
    return cv2.copyTo(image, shown, canvas).reshape(image.shape)


def paint(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return an image like the given one, in a single colour.

    Args:
        image: (H, W) or (H, W, C).
        colour: A number for each channel, of the image's type.
    """
    # Broadcasting the few channels to pixels takes thirty times as long.
    pixels = bytearray(colour.tobytes()) * math.prod(image.shape[:2])
    return np.frombuffer(pixels, image.dtype).reshape(image.shape)


def cell_mask(
    size: tuple[int, int], hidden: np.ndarray, cell: int
) -> np.ndarray:
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

    Each image has a grid of its own, as from :func:`draw_grid`; there is no
    loop over images. Random numbers come from the device's global generator.
    All rows of pixels in a row of cells are alike, so each is made once;
    :func:`spread_rows` turns them into masks.

    Args:
        size: (H, W) of the batch.
        cells: (N,) int64 sides of the cells in pixels; 0 hides nothing.
        prob: Probability that a cell is hidden.
        smallest: No side but 0 is less: what there must be room for.
        regions: (N, 2) int64 (h, w) of each image within the batch, from its
            top-left corner; beyond it (padding), nothing is hidden.
        step: Rows of pixels that are alike for sure, a divisor of the sides
            and of the regions' heights but H: one is made for each ``step``.

    Returns:
        (N, R, W) bool rows of pixels, True = hidden, the last of each image
        without a hidden pixel where there are regions and not referred to
        where there are none, and the (N, H / step) int64 row that each row of
        pixels is, counted through the batch. H / step is rounded up.
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

    Whole rows are copied: ten times faster than to gather pixels.
    """
    number, height = row.shape
    mask = rows.flatten(0, 1).index_select(0, row.flatten())
    return mask.view(number, 1, height, rows.shape[2])
