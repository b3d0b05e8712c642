"""One class map against its ground truth, at all thresholds together.

It gives the numbers of a loop over thresholds with ``cv2.findContours``, and
is several times faster (``benchmarks/localization.py``).

The box of a contour is that of a component of the foreground, whose pixels
may touch at corners, or that of a hole. A hole is a component of the
background whose pixels touch at edges and that does not reach the border of
the map; its contour runs through the foreground around it, one pixel further
out. Both kinds of components change with the threshold as in a tree.
"""

import cv2
import numpy as np

from mmocc.evaluation.component_tree import component_boxes
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    close_boxes,
    contour_rects,
    threshold_levels,
)

# Measured in microseconds on 224 x 224 pixels, to choose the cheaper of two
# ways. The first two grow with the number of pixels.
_PIXELS = 224 * 224
_TREE_COST = 1300
_CONTOURS_COST = 22, 5  # of a call, and of each contour
_MANY_CONTOURS = 60  # labelling costs as much as so many contours


def sweep_thresholds(
    levels: np.ndarray,
    thresholds: np.ndarray,
    gt_boxes: np.ndarray,
    least_iou: float = 0.0,
    largest: bool = False,
) -> np.ndarray:
    """Return the best IoU of a map's boxes with its ground truth.

    Args:
        levels: uint8 (h, w), a map from
            :func:`mmocc.evaluation.localization.to_levels`.
        thresholds: (T,) in [0, 1), shares of the map's highest level.
        gt_boxes: int (n, 4) xyxy in pixels of the map.
        least_iou: An IoU below it may be returned as less than it is.
        largest: Take only the largest contour (MaxBoxAcc), instead of all
            (MaxBoxAccV2).

    Returns:
        float64 (T,): per threshold, over its boxes and the ground truth.
    """
    highest = levels.max()
    if not highest:  # nothing is above any threshold
        best = box_iou_inclusive([[0, 0, 0, 0]], gt_boxes).max()
        return np.full(len(thresholds), best)
    # Thresholds with the same foreground count once.
    cuts, place = np.unique(
        threshold_levels(thresholds, highest), return_inverse=True
    )
    shape, number = levels.shape, len(cuts)
    components = component_boxes(levels, cuts)
    if components is None:
        contours = _loop(levels, cuts, largest)
        return _best_iou(*contours, shape, gt_boxes, number)[place]
    outer = np.bincount(components[1], minlength=number)
    holes = outer - euler_numbers(levels)[cuts]
    worth = _reach(*components, shape, gt_boxes, number) >= least_iou
    if largest:  # a single contour is the largest
        single = (outer == 1) & (holes == 0)
        known, worth = single[components[1]], worth & ~single
        components = components[0][known], components[1][known]
    else:
        worth &= holes > 0
    ious = _best_iou(*components, shape, gt_boxes, number)
    if worth.any():
        if largest:
            others = _loop(levels, cuts, True, np.flatnonzero(worth))
        else:
            others = _find_holes(levels, cuts, worth, outer + holes)
        ious = np.maximum(ious, _best_iou(*others, shape, gt_boxes, number))
    return ious[place]


def euler_numbers(levels: np.ndarray) -> np.ndarray:
    """Return components minus holes of the foreground above each level.

    That is pixels minus edges plus corners, of the pixels as closed squares.
    Each edge and corner is as high as the highest pixel at it, the first among
    equals, and counts with it: in a smooth map the sum is 0 for most pixels.

    Args:
        levels: uint8 (h, w).

    Returns:
        int64 (256,).
    """
    padded = cv2.copyMakeBorder(levels, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    # In one row, with the pixel below ``width`` further on: around a corner
    # are the pixels i, i + 1, i + width and i + width + 1.
    flat, width = padded.ravel(), padded.shape[1]
    number = flat.size - width - 1
    right, down = flat[:-1] >= flat[1:], flat[:-width] >= flat[width:]
    across = flat[:number] >= flat[width + 1 :]
    back = flat[1 : number + 1] >= flat[width:-1]
    own_right, own_down = right[:number], down[:number]
    corners = [
        own_right & own_down & across,
        (back > own_right) & down[1:],
        right[width:] > (own_down | back),
    ]
    first, second, third = (owned.view(np.uint8) for owned in corners)
    own_right, own_down = own_right.view(np.uint8), own_down.view(np.uint8)
    count = np.ones(flat.size, np.uint8)  # below 0, it wraps around
    count[:number] += first - own_right - own_down
    count[1 : number + 1] += second + own_right - np.uint8(1)
    count[width:-1] += third + own_down - np.uint8(1)
    count[width + 1 :] += np.uint8(1) - first - second - third
    at = np.flatnonzero(count != 0)
    counts = np.bincount(flat[at], count[at].view(np.int8), 256)
    counts = counts.astype(np.int64)
    return counts.sum() - counts.cumsum()


def _best_iou(
    rects: np.ndarray,
    places: np.ndarray,
    shape: tuple[int, int],
    gt_boxes: np.ndarray,
    number: int,
) -> np.ndarray:
    """Return the best IoU (C,) per cut; 0 without a rectangle.

    ``rects`` are (k, 4) x, y, w, h, ``places`` (k,) their cuts, ascending.
    """
    best = np.zeros(number)
    if len(rects):
        boxes = close_boxes(rects, shape)
        ious = box_iou_inclusive(boxes, gt_boxes).max(axis=1)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        best[places[starts]] = np.maximum.reduceat(ious, starts)
    return best


def _reach(
    rects: np.ndarray,
    places: np.ndarray,
    shape: tuple[int, int],
    gt_boxes: np.ndarray,
    number: int,
) -> np.ndarray:
    """Return an upper bound (C,) of the IoU of a hole's box, per cut.

    A hole lies in the box of its component, and so covers no more of the
    ground truth than that box does.
    """
    boxes = close_boxes(rects, shape)
    starts = np.maximum(boxes[:, None, :2], gt_boxes[None, :, :2])
    ends = np.minimum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    inner = np.maximum(ends - starts + 1, 0).prod(axis=2)
    area = (gt_boxes[:, 2:] - gt_boxes[:, :2] + 1).prod(axis=1)
    best = np.zeros(number)
    np.maximum.at(best, places, (inner / area).max(axis=1))
    return best


def _find_holes(
    levels: np.ndarray,
    cuts: np.ndarray,
    worth: np.ndarray,
    contours: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rectangles around holes, and the place in ``cuts`` of each.

    ``worth`` (C,) says at which cuts, ``contours`` (C,) counts them there.
    """
    call, each = _CONTOURS_COST
    larger = levels.size / _PIXELS
    loop = (call * larger + each * contours[worth]).sum()
    if loop > _TREE_COST * larger:
        # Background, which is not above a cut, is above another one of the
        # inverted map.
        background = component_boxes(255 - levels, 254 - cuts[::-1], 4)
        if background is not None:
            rects, places = background
            rects, inside = _grow_holes(rects, levels.shape)
            places = len(cuts) - 1 - places[inside]
            return rects[::-1], places[::-1]
    return _loop(levels, cuts, at=np.flatnonzero(worth))


def _grow_holes(
    rects: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return rectangles around holes, and which components are holes."""
    x, y, w, h = rects.T
    height, width = shape
    inside = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    return rects[inside] + [-1, -1, 2, 2], inside


def _loop(
    levels: np.ndarray,
    cuts: np.ndarray,
    largest: bool = False,
    at: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rectangles around all contours, cut by cut, at some places."""
    at = np.arange(len(cuts)) if at is None else at
    rects, counts = [], [0]
    for cut in cuts[at].tolist():
        _, mask = cv2.threshold(levels, cut, 1, cv2.THRESH_BINARY)
        # The next foreground has about as many contours as the last one.
        if counts[-1] > _MANY_CONTOURS and not largest:
            rects.append(label_rects(mask))
        else:
            rects.append(contour_rects(mask, largest))
        counts.append(len(rects[-1]))
    return np.concatenate(rects), np.repeat(at, counts[1:])


def label_rects(mask: np.ndarray) -> np.ndarray:
    """Return the rectangles of ``contour_rects``, in another order.

    Args:
        mask: uint8 (h, w), 0 or 1.

    Returns:
        int (k, 4) x, y, w, h.
    """
    outer, background = (
        cv2.connectedComponentsWithStats(part, connectivity=connectivity)[2]
        for part, connectivity in ((mask, 8), (1 - mask, 4))
    )
    holes, _ = _grow_holes(background[1:, :4], mask.shape)
    return np.concatenate([outer[1:, :4], holes])
