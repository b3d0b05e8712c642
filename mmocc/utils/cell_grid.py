"""Where the cells of a class map lie in its image.

A map of h x w cells covers an image evenly in the reference's convention
(clovaai/wsolevaluation): cell i is centred at (i + 0.5) / h of the height.
Most networks disagree: the centre of what a cell sees follows from kernels,
strides and paddings. Drawn evenly, ResNet's maps of stride 16 lie 7.5 pixels
too far to the right and down.

Positions are shares of the image's height and width, so that they hold for
any size that the image is resized to. No OpenMMLab import.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

ALIGNMENTS = ('grid', 'receptive_field')
_SHARPNESS = -0.75  # of OpenCV's bicubic kernel


class CellGrid(NamedTuple):
    """Centres of a map's cells, (y, x) in shares of the image's (h, w).

    Attributes:
        first: Centre of cell (0, 0).
        step: From one cell to the next.
    """

    first: tuple[float, float]
    step: tuple[float, float]

    @classmethod
    def even(cls, cells: tuple[int, int]) -> 'CellGrid':
        """Return the grid of h x w cells that cover the image evenly."""
        height, width = cells
        return cls((0.5 / height, 0.5 / width), (1 / height, 1 / width))

    def refined(
        self, cells: tuple[int, int], pixels: tuple[int, int]
    ) -> 'CellGrid':
        """Return the grid of the same map after it was enlarged.

        Args:
            cells: (h, w) before.
            pixels: (h, w) after, by any method that takes pixels as squares
                (OpenCV, PyTorch without ``align_corners``).
        """
        ratio = [a / b for a, b in zip(cells, pixels, strict=True)]
        first, step = (np.array(values) for values in self)
        first = first + step * (0.5 * np.array(ratio) - 0.5)
        return CellGrid(tuple(first.tolist()), tuple((step * ratio).tolist()))


def check_align(align: str) -> str:
    """Return an alignment; ValueError if it is none of ``ALIGNMENTS``."""
    if align not in ALIGNMENTS:
        raise ValueError(
            f'align is {align!r}; it must be one of {", ".join(ALIGNMENTS)}'
        )
    return align


def place_map(
    cam: np.ndarray, size: tuple[int, int], cells: CellGrid
) -> np.ndarray:
    """Enlarge a class map to an image, each cell at its centre.

    Bicubic with OpenCV's kernel; beyond the outermost centres, the outermost
    cells go on. With :meth:`CellGrid.even` it is ``cv2.resize``.

    Args:
        cam: (h, w), any range.
        size: (h, w) of the result.
        cells: Where the cells are.

    Returns:
        float64 of that size.
    """
    rows, columns = (
        cell_weights(first, step, count, pixels)
        for first, step, count, pixels in zip(
            cells.first, cells.step, cam.shape, size, strict=True
        )
    )
    return rows @ np.asarray(cam, np.float64) @ columns.T


@lru_cache(maxsize=64)
def cell_weights(
    first: float, step: float, count: int, pixels: int
) -> np.ndarray:
    """Return what each cell of a line adds to each of its pixels.

    Args:
        first: Centre of the first cell, in shares of the line.
        step: From one cell to the next, likewise.
        count: Number of cells.
        pixels: Number of pixels.

    Returns:
        float64 (pixels, count), read-only; each row adds up to 1.
    """
    place = ((np.arange(pixels) + 0.5) / pixels - first) / step
    left = np.floor(place)
    x, a = place - left, _SHARPNESS
    outer, inner = (
        (
            ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
            ((a + 2) * t - (a + 3)) * t * t + 1,
        )
        for t in (x, 1 - x)
    )
    weights = np.zeros((pixels, count))
    for shift, weight in zip(
        (-1, 0, 1, 2), (outer[0], outer[1], inner[1], inner[0]), strict=True
    ):
        cell = np.clip(left + shift, 0, count - 1).astype(int)
        weights[np.arange(pixels), cell] += weight
    weights.flags.writeable = False
    return weights
