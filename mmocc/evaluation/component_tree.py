"""Boxes of the components of a grey image, at all levels together.

A component tree (Salembier et al., "Antiextensive connected operators for
image and sequence processing", IEEE TIP 1998) as far as boxes need it, in
steps on whole arrays. Its nodes are blocks of pixels that all touch one
another, 2 x 2 where corners connect and 1 x 2 where edges do, so that what
lies above a level within a block is connected. Blocks climb to peaks; the
areas of the peaks are joined along the highest pass between them, and each
carries its box at every level along.
"""

from functools import lru_cache

import cv2
import numpy as np

_EMPTY = np.iinfo(np.int16).max
_LEVELS = 256


def component_boxes(
    image: np.ndarray,
    cuts: np.ndarray,
    connectivity: int = 8,
    most_peaks: int = 1000,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the boxes of the components of ``image > cut``, for each cut.

    Args:
        image: uint8 (h, w).
        cuts: int (C,), ascending, from 0 to 254.
        connectivity: 8, pixels touch at corners as well, or 4.
        most_peaks: Give up above so many: of noise, a tree is slow.

    Returns:
        int64 (k, 4) rectangles x, y, w, h, and int64 (k,) the place in
        ``cuts`` of each, ascending. None if there are more peaks than
        allowed, or more than 65,536 pixels.
    """
    height, width = image.shape
    if height % 2 or width % 2:  # 0 is above no cut
        image = np.pad(image, ((0, height % 2), (0, width % 2)))
    if image.size > 1 << 16:
        return None
    block = (2, 2) if connectivity == 8 else (1, 2)
    areas, tops = climb(image, block)
    if len(tops) > most_peaks:
        return None
    pairs, heights = find_passes(image, areas, block)
    areas, pairs, heights = _drop_false_peaks(areas, tops, pairs, heights)
    pairs, heights = _highest_first(pairs, heights)
    ends = _box_ends(image, areas, block)[..., cuts + 1]
    ends = np.ascontiguousarray(ends.transpose(1, 0, 2))  # (areas, 4, C)
    _join(ends, pairs, np.searchsorted(cuts, heights))
    places, peaks = np.nonzero(ends[:, 0].T != _EMPTY)
    rects = ends[peaks, :, places].astype(np.int64)
    rects[:, 2:] = 1 - rects[:, 2:] - rects[:, :2]
    return rects, places


def climb(
    image: np.ndarray, block: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the peak that each block climbs to.

    From a block's highest pixel to the highest next to it, among equals to
    the last one: the way never falls, so that the area of a peak is connected
    above any level. A plateau may have several peaks.

    Args:
        image: uint8 (h, w), sides even, of at most 65,536 pixels.
        block: (h, w) of a block, (2, 2) or (1, 2).

    Returns:
        int32 areas (h / block h, w / block w), and the level of each peak.
    """
    places, blocks = _number_pixels(image.shape, block)
    # Level and place in one number below 2 ** 24, exact in a float32.
    keys = np.multiply(image, 1 << 16, dtype=np.float32)
    keys += places
    shape = cv2.MORPH_RECT if block == (2, 2) else cv2.MORPH_CROSS
    kernel = cv2.getStructuringElement(shape, (3, 3))
    highest = cv2.dilate(keys, kernel).ravel()
    own = _block_max(keys, block).ravel().astype(np.int64) & 0xFFFF
    found = highest[own].astype(np.int64)
    level, pixel = found >> 16, found & 0xFFFF
    above = _roots(blocks[pixel])
    number, peaks = _renumber(above)
    areas = number.reshape(-1, image.shape[1] // block[1])
    return areas, level[peaks]


@lru_cache(maxsize=4)
def _number_pixels(
    shape: tuple[int, int], block: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each pixel, and the block that it lies in."""
    height, width = shape
    places = np.arange(height * width, dtype=np.float32).reshape(shape)
    row, column = np.mgrid[:height, :width]
    blocks = row // block[0] * (width // block[1]) + column // block[1]
    return places, blocks.ravel()


def _block_max(image: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Return the greatest value of each block."""
    for axis, side in enumerate(block):
        if side == 2:
            first, second = np.s_[::2], np.s_[1::2]
            if axis == 1:
                first, second = (np.s_[:], first), (np.s_[:], second)
            image = np.maximum(image[first], image[second])
    return image


def _roots(above: np.ndarray) -> np.ndarray:
    """Return where the way of each node ends; a root leads to itself."""
    while True:
        further = above[above]
        above = further[further]  # twice at a time: to compare costs as much
        if np.array_equal(above, further):
            return above


def _renumber(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each node's root, from 0, and the roots."""
    roots = np.flatnonzero(above == np.arange(above.size))
    number = np.empty(above.size, np.int32)
    number[roots] = np.arange(len(roots))
    return number[above], roots


def find_passes(
    image: np.ndarray, areas: np.ndarray, block: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the passes between areas, of all blocks that touch.

    Two blocks are connected above a level if two pixels of them that touch
    are: a pass is as high as the lower of the best such pair.

    Args:
        image: uint8 (h, w).
        areas: int32, an area for each block.
        block: (h, w) of a block.

    Returns:
        int32 (2, k) areas, the first before the second, and uint8 (k,)
        heights.
    """
    pairs, heights = [], []
    for first, second, height in _steps(image, areas, block):
        at = np.flatnonzero(first != second)
        first, second = first.ravel()[at], second.ravel()[at]
        pairs.append((np.minimum(first, second), np.maximum(first, second)))
        heights.append(height.ravel()[at])
    return np.concatenate(pairs, axis=1), np.concatenate(heights)


def _highest_first(
    pairs: np.ndarray, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest pass of each pair of areas, in falling order."""
    pairs, number = pairs.astype(np.int64), int(pairs.max(initial=0)) + 1
    best = np.zeros(number * number, np.uint8)
    order = np.argsort(heights, kind='stable')
    # Of a pair, the last one stays. One of height 0 joins nothing.
    best[(pairs[0] * number + pairs[1])[order]] = heights[order]
    found = np.flatnonzero(best)
    found = found[np.argsort(best[found], kind='stable')[::-1]]
    return np.stack(np.divmod(found, number)), best[found]


def _steps(
    image: np.ndarray, areas: np.ndarray, block: tuple[int, int]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return areas of neighbouring blocks, and the height between these."""
    left, right, up, down = np.s_[:-1], np.s_[1:], np.s_[:-1], np.s_[1:]
    columns = _block_max(image, (block[0], 1))
    level = np.minimum(columns[:, 1:-1:2], columns[:, 2::2])
    steps = [(areas[:, left], areas[:, right], level)]
    if block == (1, 2):
        level = np.minimum(image[up], image[down])
        steps.append((areas[up], areas[down], _block_max(level, (1, 2))))
        return steps
    rows = _block_max(image, (1, 2))
    level = np.minimum(rows[1:-1:2], rows[2::2])
    steps.append((areas[up], areas[down], level))
    over, under = image[1:-1:2], image[2::2]
    level = np.minimum(over[:, 1:-1:2], under[:, 2::2])
    steps.append((areas[up, left], areas[down, right], level))
    level = np.minimum(over[:, 2::2], under[:, 1:-1:2])
    steps.append((areas[up, right], areas[down, left], level))
    return steps


def _drop_false_peaks(
    areas: np.ndarray,
    tops: np.ndarray,
    pairs: np.ndarray,
    heights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge areas that are never apart: with a pass as high as their peak."""
    first, second = pairs
    # Of equal peaks the first counts as the lower one: no way leads back.
    is_lower = tops[first] <= tops[second]
    lower = np.where(is_lower, first, second)
    false = heights == tops[lower]
    above = np.arange(len(tops))
    above[lower[false]] = np.where(is_lower, second, first)[false]
    number, _ = _renumber(_roots(above))
    pairs = number[pairs]
    apart = pairs[0] != pairs[1]
    return number[areas], pairs[:, apart], heights[apart]


def _box_ends(
    image: np.ndarray, areas: np.ndarray, block: tuple[int, int]
) -> np.ndarray:
    """Return the box of each area above each level less one.

    Returns:
        int16 (4, areas, 257): x1, y1, -x2, -y2, the last pixels belonging to
        the box, all of them ``_EMPTY`` above the peak.
    """
    ends = np.full((4, areas.max() + 1, _LEVELS + 1), _EMPTY, np.int16)
    flat = ends.reshape(4, -1)
    cells = areas.astype(np.int64) * (_LEVELS + 1)
    height, width = image.shape
    columns = _block_max(image, (block[0], 1))
    rows = _block_max(image, (1, 2))
    x = np.repeat(np.arange(width, dtype=np.int16), len(columns))
    y = np.repeat(np.arange(height, dtype=np.int16), width // 2)
    by_x = (np.repeat(cells, 2, axis=1) + columns).T.ravel()
    by_y = (np.repeat(cells, block[0], axis=0) + rows).ravel()
    # Of pixels at one level of an area, the one that is set last stays.
    flat[0][by_x[::-1]], flat[1][by_y[::-1]] = x[::-1], y[::-1]
    flat[2][by_x], flat[3][by_y] = -x, -y
    np.minimum.accumulate(ends[..., ::-1], axis=2, out=ends[..., ::-1])
    return ends


def _join(ends: np.ndarray, pairs: np.ndarray, counts: np.ndarray) -> None:
    """Join areas along their passes, in place, the highest pass first.

    Args:
        ends: int16 (areas, 4, C), boxes at each cut.
        pairs: int64 (2, k), the areas on both sides of a pass.
        counts: int64 (k,), how many cuts are below it.
    """
    above = list(range(len(ends)))

    def root(node: int) -> int:
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    for (one, other), count in zip(
        pairs.T.tolist(), counts.tolist(), strict=True
    ):
        one, other = root(one), root(other)
        if one == other:
            continue
        above[other] = one
        ends_one, ends_other = ends[one, :, :count], ends[other, :, :count]
        np.minimum(ends_one, ends_other, out=ends_one)
        ends_other[:] = _EMPTY
