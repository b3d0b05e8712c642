"""Hiding the cells of a grid: Hide-and-Seek (arXiv 1704.04232, 1811.02545)."""

from collections.abc import Sequence

import numpy as np


def draw_grid(size: tuple[int, int], cell: int, prob: float) -> np.ndarray:
    """Draw which cells of a grid are hidden, each with the same probability.

    The grid starts at the top-left corner; the last row and column may be
    cut off by the border, and are hidden as often as the others.

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
    image: np.ndarray, hidden: np.ndarray, cell: int, fill: Sequence[float]
) -> np.ndarray:
    """Return a copy of an image with the hidden cells filled.

    Args:
        image: (H, W) or (H, W, C).
        hidden: From :func:`draw_grid`.
        cell: Side of a cell in pixels.
        fill: A value for each channel.
    """
    image = image.copy()
    fill = np.asarray(fill, image.dtype)
    for row, col in zip(*hidden.nonzero(), strict=True):
        y, x = row * cell, col * cell
        image[y : y + cell, x : x + cell] = fill
    return image


def cell_mask(
    size: tuple[int, int], hidden: np.ndarray, cell: int
) -> np.ndarray:
    """Return the (H, W) uint8 mask of hidden pixels, 1 = hidden."""
    return hide_cells(np.zeros(size, np.uint8), hidden, cell, (1,))
