"""Whether two models' answers are to the same occluded images."""

from collections.abc import Sequence

import numpy as np

from mmocc.report.answers import THUMBNAIL, Answers

# How far thumbnails of the same occlusion are apart in images of other sizes:
# measured at 160, 224 and 384 pixels, on whole images, boxes and masks, 1 % of
# the images exceed this. With other places for the occluders, 95 % do.
OF_AREA, OF_SIDE = 0.1, 0.02
FEW = 0.05  # share of images that may exceed it: tiny objects, by their rim


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
    places = [
        {key: row for row, key in enumerate(answers.keys.tolist())}
        for answers in sides
    ]
    common = sorted(set(places[0]).intersection(*places[1:]))
    return [np.array([rows[key] for key in common], int) for rows in places]


def why_not_paired(
    ours: dict[str, Answers], base: dict[str, Answers], labels: bool = True
) -> str | None:
    """Return why two models' answers cannot be compared image by image.

    None if they can: in each cell they share images, by identity, and these
    have the same labels and, except for a few, are hidden in the same parts.
    Without ``labels``, these are the models' own, and may differ.
    """
    for cell, answers in ours.items():
        mine, theirs = shared_rows([answers, base[cell]])
        if not len(mine):
            return 'the test sets have no image in common'
        names = answers.identity[mine]
        other = answers.label[mine] != base[cell].label[theirs]
        if labels and other.any():
            return (
                f'{other.sum()} of {len(other)} images have other labels, '
                f'the first is {names[other][0]}'
            )
        other = masks_differ(
            answers.thumbnail[mine], base[cell].thumbnail[theirs]
        )
        if other.mean() > FEW:
            return (
                f'in {cell}, other parts of {other.sum()} of {len(other)} '
                f'images are hidden, the first is {names[other][0]}'
            )
    return None


def masks_differ(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return where two masks differ by more than the size of their pixels.

    The part of the image that is hidden in only one of them is compared with
    the area of both, and with the side of a square of this area, since a rim
    of a pixel is more of a small mask than of a large one.

    Args:
        ours: (N, side, side) uint8, as of :func:`mask_thumbnail`.
        theirs: The same, of the other masks.

    Returns:
        (N,) bool.
    """
    one, two = (masks.astype(np.float32) / 255 for masks in (ours, theirs))
    gap = np.abs(one - two).mean(axis=(1, 2))
    area = np.maximum(one, two).mean(axis=(1, 2))
    return gap > OF_AREA * area + OF_SIDE * np.sqrt(area)
