"""Whether two models' answers are to the same occluded images."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mmocc.report.answers import THUMBNAIL, Answers


def mask_thumbnail(mask: np.ndarray, side: int = THUMBNAIL) -> np.ndarray:
    """Return a mask of hidden pixels as a small picture of hidden shares.

    The image is cut into ``side`` times ``side`` equal parts, so that masks
    of images of different size can be compared.

    Args:
        mask: (H, W), 1 or True where a pixel is hidden.
        side: Parts in a row and in a column.

    Returns:
        (side, side) uint8, 255 where all of a part is hidden.
    """
    down, across = (_parts(length, side) for length in mask.shape)
    shares = down @ mask.astype(np.float32) @ across.T
    return np.rint(255 * shares).astype(np.uint8)


def _parts(length: int, number: int) -> np.ndarray:
    """Return how much of each part each pixel of a line is.

    (number, length) float32; each row sums to 1.
    """
    edges = np.linspace(0, length, number + 1)[:, None]
    pixels = np.arange(length)
    high = np.minimum(edges[1:], pixels + 1)
    low = np.maximum(edges[:-1], pixels)
    return ((high - low).clip(0) * number / length).astype(np.float32)


def shared_rows(sides: Sequence[Answers]) -> list[np.ndarray]:
    """Return the rows of each side's answers to the images that all have.

    An image is known by its identity, not by its place in a test set. All
    sides' rows are in the same order of images.
    """
    keys = [answers.keys for answers in sides]
    common = reduce(np.intersect1d, keys)
    rows = []
    for names in keys:
        order = np.argsort(names)
        rows.append(order[np.searchsorted(names, common, sorter=order)])
    return rows
