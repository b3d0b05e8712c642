"""Boxes of the components of a grey image, at all levels together.

A component tree (Salembier et al., "Antiextensive connected operators for
image and sequence processing", IEEE TIP 1998), reduced to what boxes need, in
steps on whole arrays. Its nodes are blocks of pixels that all touch one
another, 2 x 2 where corners connect and 1 x 2 where edges do, so that the
pixels above a level within a block are connected. Blocks climb to peaks; the
areas of the peaks are joined along the highest pass between them, and each
has its box at every level.

Blocks lie in one row, with a column and a row of zeros after those of the
image: a neighbour is a fixed number of places further on, and nothing is
connected across the border. Levels, the numbers of cuts below a pixel, are
bytes.
"""

import cv2
import numpy as np

_EMPTY = np.iinfo(np.int16).max
Passes = list[tuple[int, np.ndarray]]


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
        connectivity: 8 (pixels touch at corners as well) or 4.
        most_peaks: Give up above this number: a tree of noise is slow.

    Returns:
        int64 (k, 4) rectangles x, y, w, h, and int64 (k,) the place in
        ``cuts`` of each, ascending. None if there are more peaks than
        allowed, or a side of 32,767 pixels or more.
    """
    if max(image.shape) >= _EMPTY:
        return None
    below = np.searchsorted(cuts, np.arange(256)).astype(np.uint8)
    pixels, stride = split_blocks(
        cv2.LUT(image, below), (2 if connectivity == 8 else 1, 2)
    )
    highest = pixels.max(axis=(0, 1))
    passes = find_passes(pixels, stride)
    steps = climb(highest, passes)
    if steps.size - np.count_nonzero(steps) > most_peaks:
        return None
    steps += np.arange(steps.size)
    areas, peaks = _renumber(_roots(steps))
    pairs, heights = find_borders(areas, passes)
    areas, pairs, heights = _drop_false_peaks(
        areas, highest[peaks], pairs, heights
    )
    pairs, heights = _highest_first(pairs, heights)
    ends = _box_ends(pixels, areas, stride, len(cuts))
    _join(ends, pairs, heights)
    places, peaks = np.nonzero(ends[..., 0] != _EMPTY)
    rects = ends[places, peaks].astype(np.int64)
    rects[:, 2:] = 1 - rects[:, 2:] - rects[:, :2]
    return rects, places


def split_blocks(
    image: np.ndarray, block: tuple[int, int]
) -> tuple[np.ndarray, int]:
    """Return the pixels of each place in a block, and the length of a row.

    They are uint8 (block h, block w, B), all blocks in one row; the length is
    the number of blocks from one to that below it.
    """
    # Zeros complete the last block and add another one.
    (height, width), (down, right) = image.shape, block
    bottom, side = -height % down + down, -width % right + right
    padded = cv2.copyMakeBorder(image, 0, bottom, 0, side, cv2.BORDER_CONSTANT)
    pixels = [
        [padded[y::down, x::right].ravel() for x in range(right)]
        for y in range(down)
    ]
    return np.array(pixels), padded.shape[1] // right


def find_passes(pixels: np.ndarray, stride: int) -> Passes:
    """Return the heights of the passes between blocks that touch.

    Two blocks are connected above a level if two pixels of them that touch
    are: a pass is as high as the lower of the best such pair.

    Returns:
        For each direction, the number of places from a block to its
        neighbour, and uint8 (B minus this number,) heights.
    """
    if len(pixels) == 1:
        (left, right), up = pixels[0], pixels[0]
        level = np.minimum(up[:, :-stride], up[:, stride:]).max(axis=0)
        return [(stride, level), (1, np.minimum(right[:-1], left[1:]))]
    (upper, lower), (left, right) = pixels.max(axis=1), pixels.max(axis=0)
    # A corner, the opposite one, and how far away its block is.
    touching = [
        (pixels[1, 0], pixels[0, 1], stride - 1),
        (pixels[1, 1], pixels[0, 0], stride + 1),
        (lower, upper, stride),
        (right, left, 1),
    ]
    return [
        (step, np.minimum(one[:-step], other[step:]))
        for one, other, step in touching
    ]


def climb(highest: np.ndarray, passes: Passes) -> np.ndarray:
    """Return the number of places from each block to the one it climbs to.

    That is a higher one, along a pass no lower than itself, or one further on
    of the same height: the way never falls, so that the area of a peak is
    connected above any level, nor returns. A plateau may have several peaks.

    ``highest`` is uint8 (B,), the highest pixel of each block; the result is
    int64 (B,), 0 for peaks.
    """
    chosen = np.zeros(highest.shape, np.uint8)
    number = len(passes)
    for place, (step, height) in enumerate(passes, 1):
        one, other = highest[:-step], highest[step:]
        onward = (height == one).view(np.uint8) * np.uint8(place)
        back = (one > other) & (height == other)
        back = back.view(np.uint8) * np.uint8(number + place)
        np.maximum(chosen[:-step], onward, out=chosen[:-step])
        np.maximum(chosen[step:], back, out=chosen[step:])
    steps = [step for step, _ in passes]
    return np.array([0, *steps, *(-step for step in steps)]).take(chosen)


def _roots(above: np.ndarray) -> np.ndarray:
    """Return where the way of each node ends; a root leads to itself."""
    while True:
        further = above[above]
        above = further[further]  # twice: a comparison costs as much
        if np.array_equal(above, further):
            return above


def _renumber(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each node's root, from 0, and the roots."""
    roots = np.flatnonzero(above == np.arange(above.size))
    number = np.empty(above.size, np.int64)
    number[roots] = np.arange(len(roots))
    return number[above], roots


def find_borders(
    areas: np.ndarray, passes: Passes
) -> tuple[np.ndarray, np.ndarray]:
    """Return the passes between areas (B,), of all blocks that touch.

    They are int64 (2, k) areas, and uint8 (k,) heights.
    """
    pairs, heights = [], []
    narrow = areas.astype(np.int16)  # four times as fast to compare
    for step, height in passes:
        at = np.flatnonzero(narrow[:-step] != narrow[step:])
        pairs.append((areas[at], areas[at + step]))
        heights.append(height[at])
    return np.concatenate(pairs, axis=1), np.concatenate(heights)


def _highest_first(
    pairs: np.ndarray, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest pass of each pair of areas, in falling order."""
    number = int(pairs.max(initial=0)) + 1
    best = np.zeros(number * number, np.uint8)
    cells = np.minimum(*pairs) * number + np.maximum(*pairs)
    np.maximum.at(best, cells, heights)
    joined = np.flatnonzero(best > 0)  # a pass of height 0 joins nothing
    joined = joined[np.argsort(best[joined], kind='stable')[::-1]]
    return np.stack(np.divmod(joined, number)), best[joined]


def _drop_false_peaks(
    areas: np.ndarray,
    tops: np.ndarray,
    pairs: np.ndarray,
    heights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge areas that are never apart: with a pass as high as their peak."""
    first, second = pairs
    # Of equal peaks, the one of lower number counts as the lower one: no way
    # leads back.
    rank = tops.astype(np.int64) * len(tops) + np.arange(len(tops))
    is_lower = rank[first] < rank[second]
    lower = np.where(is_lower, first, second)
    false = np.flatnonzero(heights == tops[lower])
    above = np.arange(len(tops))
    above[lower[false]] = np.where(is_lower, second, first)[false]
    number, _ = _renumber(_roots(above))
    first, second = number[pairs]
    apart = np.flatnonzero(first != second)
    pairs = np.stack([first[apart], second[apart]])
    return number[areas], pairs, heights[apart]


def _box_ends(
    pixels: np.ndarray, areas: np.ndarray, stride: int, number: int
) -> np.ndarray:
    """Return the box of each area above each of ``number`` cuts.

    They are int16 (number, areas, 4): x1, y1, -x2, -y2, the last pixels
    included; all ``_EMPTY`` above the peak.
    """
    ends = np.full((number + 1, areas.max() + 1, 4), _EMPTY, np.int16)
    flat = ends.reshape(-1)
    for axis, step in enumerate((stride, 1)):
        lines = pixels.max(axis=axis)
        within, block, level = _summits(lines, areas, step)
        row = block // stride
        place = row if axis else block - row * stride
        place = (place * len(lines) + within).astype(np.int16)
        cells = level.astype(np.int64) * ends.shape[1] + areas[block]
        cells = cells * 4 + axis
        np.minimum.at(flat, cells, place)
        np.minimum.at(flat, cells + 2, -place)
    np.minimum.accumulate(ends[::-1], axis=0, out=ends[::-1])
    return ends[1:]


def _summits(
    lines: np.ndarray, areas: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where no neighbour of the same area is higher along a line.

    Only the highest of an area's pixels in a line decides how far it reaches.
    ``lines`` are uint8 (n, B), n lines of pixels in each line of blocks, with
    ``step`` from a block to the next one. Returns places in n, blocks, levels.
    """
    same = areas[:-step] == areas[step:]
    rises = lines[:, step:] > lines[:, :-step]
    summits = lines > 0
    summits[:, step:] &= rises | ~same
    summits[:, :-step] &= ~(rises & same)
    at = np.flatnonzero(summits)
    within = at // len(areas)
    return within, at - within * len(areas), lines.reshape(-1)[at]


def _join(ends: np.ndarray, pairs: np.ndarray, counts: np.ndarray) -> None:
    """Join areas along their passes, in place, the highest pass first.

    ``ends`` are boxes (C, areas, 4) at each cut, ``pairs`` (2, k) the areas on
    both sides of a pass, ``counts`` (k,) how many cuts are below it.
    """
    above = list(range(ends.shape[1]))

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
        ends_one, ends_other = ends[:count, one], ends[:count, other]
        np.minimum(ends_one, ends_other, out=ends_one)
        ends_other[:] = _EMPTY
