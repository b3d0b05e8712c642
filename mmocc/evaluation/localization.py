"""From a class map to boxes, and boxes against each other.

Two published procedures, which differ in more than a threshold:

- Zhou et al., "Learning Deep Features for Discriminative Localization"
  (CVPR 2016), and Singh and Lee, "Hide-and-Seek" (ICCV 2017): foreground is
  above a share of the map's maximum; the box is its largest component's.
- Choe et al., "Evaluating Weakly Supervised Object Localization Methods
  Right" (CVPR 2020), and their clovaai/wsolevaluation, *the reference* below:
  min-max normalisation, 256 levels, contours.

Where a habit of the reference decides the number, a comment says so. Boxes
are integer xyxy in pixels of the map, as the reference makes them: the end is
the first pixel after the object, but at most the last pixel of the map.
Sizes are (h, w). No OpenMMLab import.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmocc.utils.cell_grid import CellGrid, place_map

NORMALIZATIONS = ('max', 'minmax')
KEEP = ('largest', 'largest_contour', 'all')


def check_map(cam: np.ndarray) -> np.ndarray:
    """Return a class map as float64 (h, w).

    Raises:
        ValueError: If the map does not have two dimensions, or no pixel.
    """
    cam = np.asarray(cam, np.float64)
    if cam.ndim != 2 or not cam.size:
        raise ValueError(
            f'a class map has the shape {cam.shape}; it must be (h, w), the '
            'map of one class in one image'
        )
    return cam


def is_blank(cam: np.ndarray) -> bool:
    """Return whether a map is not finite, or all one value."""
    return not np.isfinite(cam).all() or cam.min() == cam.max()


def normalize_map(cam: np.ndarray, mode: str = 'max') -> np.ndarray:
    """Bring a class map to a scale on which a threshold has a meaning.

    Args:
        cam: (h, w), any range.
        mode: ``max`` divides by the maximum; signs stay. ``minmax`` scales
            to [0, 1].

    Returns:
        float64 (h, w). All zero for a map with NaN or inf; also for a constant
        map with ``minmax``, and for one without a positive value with ``max``.

    Raises:
        ValueError: If the mode is another, or the map not of shape (h, w).
    """
    cam = check_map(cam)
    return (
        np.zeros_like(cam) if _has_no_scale(cam, mode) else _scale(cam, mode)
    )


def _has_no_scale(cam: np.ndarray, mode: str) -> bool:
    """Return whether a map becomes all zero; ValueError for another mode."""
    if mode not in NORMALIZATIONS:
        raise ValueError(
            f'mode is {mode!r}; it must be one of {", ".join(NORMALIZATIONS)}'
        )
    if mode == 'max':
        # A share of a negative maximum would lie above it.
        return not np.isfinite(cam).all() or cam.max() <= 0
    # The reference counts such an image as a miss, and does not leave it out.
    return is_blank(cam)


def _scale(cam: np.ndarray, mode: str) -> np.ndarray:
    """Return a map that has a scale, on it."""
    if mode == 'max':
        return cam / cam.max()
    cam = cam - cam.min()
    return cam / cam.max()


def resize_map(
    cam: np.ndarray, size: tuple[int, int], cells: CellGrid | None = None
) -> np.ndarray:
    """Enlarge a class map to an image, before it is normalised.

    Bicubic, as the reference: the result slightly exceeds the range of the
    input, so the order matters.

    Args:
        cam: (h, w), any range.
        size: (h, w) of the result.
        cells: Where the cells lie; by default they cover the image evenly, as
            in the reference.

    Returns:
        float64 of that size.
    """
    cam = check_map(cam)
    if cells is not None:
        return place_map(cam, size, cells)
    if cam.shape == tuple(size):
        return cam
    # OpenCV takes (w, h). The reference gives it (h, w) of a square grid.
    return cv2.resize(cam, tuple(size)[::-1], interpolation=cv2.INTER_CUBIC)


def enlarge_map(
    cam: np.ndarray,
    size: tuple[int, int],
    mode: str = 'max',
    cells: CellGrid | None = None,
) -> np.ndarray:
    """Enlarge a class map to an image and normalise it.

    Whether the map has a scale at all is decided before: in a constant map,
    rounding would make a pattern that min-max spreads out, and the bicubic
    kernel makes positive values in a negative one.

    Args:
        cam: As in :func:`resize_map`.
        size: As there.
        mode: As in :func:`normalize_map`.
        cells: As in :func:`resize_map`.

    Returns:
        float64 of that size, as from :func:`normalize_map`.
    """
    cam = check_map(cam)
    if _has_no_scale(cam, mode):
        return np.zeros(size)
    return _scale(resize_map(cam, size, cells), mode)


def to_levels(cam: np.ndarray) -> np.ndarray:
    """Return a map in [0, 1] as uint8, rounded down as the reference does.

    Then 256 different foregrounds are possible, whatever the thresholds.
    """
    return (cam * 255).astype(np.uint8)


def threshold_levels(
    thresholds: np.ndarray, highest: int | np.integer
) -> np.ndarray:
    """Return the level above which a pixel is foreground, per threshold.

    A share of the map's highest level, rounded down to a whole number;
    foreground is strictly above it (OpenCV's THRESH_BINARY).

    """
    return (np.asarray(thresholds) * int(highest)).astype(int)


def map_to_boxes(
    cam: np.ndarray,
    threshold: float = 0.2,
    keep: str = 'largest',
    normalize: str = 'max',
    size: tuple[int, int] | None = None,
    cells: CellGrid | None = None,
) -> np.ndarray:
    """Return the boxes of a class map.

    Args:
        cam: (h, w), any range.
        threshold: Foreground is strictly above this share of the maximum (the
            papers do not say how a tie counts).
        keep: ``largest``: the component of most pixels (the papers; of two
            equal ones, the one whose first row is higher up);
            ``largest_contour``: the contour around the greatest area
            (MaxBoxAcc); ``all``: every contour, those of holes as well
            (MaxBoxAccV2).
        normalize: ``max``: the papers' t * max. ``minmax``: the reference's
            normalisation, in 256 levels.
        size: (h, w) of the image, in whose pixels boxes are; by default the
            map's own size.
        cells: As in :func:`resize_map`.

    Returns:
        int64 (k, 4) xyxy, k >= 1. Without foreground the box (0, 0, 0, 0),
        which the reference counts as a miss.

    Raises:
        ValueError: If ``keep`` or ``normalize`` is none of these, or the map
            not of shape (h, w).
    """
    if keep not in KEEP:
        raise ValueError(
            f'keep is {keep!r}; it must be one of {", ".join(KEEP)}'
        )
    cam = check_map(cam)
    cam = enlarge_map(cam, size or cam.shape, normalize, cells)
    if normalize == 'minmax':
        levels = to_levels(cam)
        mask = levels > threshold_levels(threshold, levels.max())
    else:
        mask = cam > threshold
    return mask_to_boxes(mask, keep)


def mask_to_boxes(mask: np.ndarray, keep: str = 'all') -> np.ndarray:
    """Return the boxes of a boolean mask (h, w); see :func:`map_to_boxes`."""
    mask = np.ascontiguousarray(mask, np.uint8)
    if not mask.any():
        rects = [(0, 0, 0, 0)]
    elif keep == 'largest':
        # Pixels that touch at a corner are connected, as within a contour.
        stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
        rects = [stats[stats[:, cv2.CC_STAT_AREA].argmax(), :4]]
    else:
        rects = contour_rects(mask, keep == 'largest_contour')
    return close_boxes(rects, mask.shape)


def contour_rects(
    mask: np.ndarray, largest: bool = False
) -> list[tuple[int, int, int, int]]:
    """Return (x, y, w, h) around each contour of a uint8 mask.

    Args:
        mask: (h, w), 0 is background.
        largest: Return only that of greatest area. As in the reference, this
            is the area of the polygon through the centres of the pixels: a
            line one pixel wide has none.
    """
    # RETR_TREE finds the borders of holes as well. They run through the
    # foreground around the hole, and MaxBoxAccV2 counts their boxes too.
    contours, _ = cv2.findContours(
        mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
    )
    if largest and contours:
        contours = [max(contours, key=cv2.contourArea)]
    return [cv2.boundingRect(contour) for contour in contours]


def close_boxes(
    rects: Sequence[tuple[int, int, int, int]], shape: tuple[int, int]
) -> np.ndarray:
    """Turn (x, y, w, h) into the reference's xyxy.

    Its ends are exclusive (x + w), but its IoU takes them as inclusive: boxes
    are one pixel too large, except at the border, where they are clipped. All
    its published numbers have this.

    ``shape`` is (h, w) of the map; the result is int64 (k, 4).
    """
    boxes = np.array(rects, np.int64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    height, width = shape
    np.minimum(boxes[:, 2], width - 1, out=boxes[:, 2])
    np.minimum(boxes[:, 3], height - 1, out=boxes[:, 3])
    return boxes


def scale_boxes(
    boxes: np.ndarray, ori_shape: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Scale ground-truth boxes from an image to the grid of its map.

    Args:
        boxes: (n, 4) xyxy in pixels of the image.
        ori_shape: (h, w) of the image.
        size: (h, w) of the grid.

    Returns:
        int64 (n, 4) within the grid, rounded down as the reference does.
    """
    (height, width), (rows, columns) = ori_shape, size
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    # The reference multiplies first: another order rounds differently.
    scaled = boxes * [columns, rows, columns, rows]
    ends = [columns - 1, rows - 1, columns - 1, rows - 1]
    # Clipped first: larger numbers than int64 holds would become any number.
    scaled = np.clip(scaled / [width, height, width, height], 0, ends)
    return scaled.astype(np.int64)


def box_iou_inclusive(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the IoU of each pair of boxes whose ends belong to them.

    The width is x2 - x1 + 1, as in the ILSVRC devkit and in the reference.

    Args:
        a: (n, 4) xyxy.
        b: (m, 4) xyxy.

    Returns:
        float64 (n, m) in [0, 1].

    Raises:
        ValueError: If a box ends before it begins.
    """
    a, b = (np.asarray(boxes).reshape(-1, 4) for boxes in (a, b))
    for boxes in (a, b):
        wrong = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
        if wrong.any():
            raise ValueError(
                f'the box {boxes[wrong.argmax()].tolist()} ends before it '
                'begins; boxes are x1, y1, x2, y2'
            )
    starts = np.maximum(a[:, None, :2], b[None, :, :2])
    ends = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.maximum(ends - starts + 1, 0).prod(axis=2)
    area_a, area_b = (
        (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1) for boxes in (a, b)
    )
    return inner / (area_a[:, None] + area_b[None] - inner)
