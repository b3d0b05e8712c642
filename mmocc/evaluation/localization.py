"""From a class map to boxes, and boxes against each other.

Two published procedures, which differ in more than a threshold:

- Zhou et al., "Learning Deep Features for Discriminative Localization"
  (CVPR 2016), and Singh and Lee, "Hide-and-Seek" (ICCV 2017): what lies above
  a share of the map's maximum; the box of its largest component.
- Choe et al., "Evaluating Weakly Supervised Object Localization Methods
  Right" (CVPR 2020), and their clovaai/wsolevaluation, *the reference* below:
  min-max normalisation, 256 levels, contours.

Where a habit of the reference decides the number, a comment says so. Boxes
are integer xyxy in pixels of the map, as the reference makes them: the end is
the first pixel beyond the object, but at most the last pixel of the map.
Arrays are NumPy's; sizes are (h, w). No OpenMMLab import.
"""

from collections.abc import Sequence

import cv2
import numpy as np

NORMALIZATIONS = ('max', 'minmax')
KEEP = ('largest', 'largest_contour', 'all')


def check_map(cam: np.ndarray) -> np.ndarray:
    """Return a class map as float64 (h, w), which is what is computed with.

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
    """Return whether a map points nowhere: not finite, or all one value."""
    return not np.isfinite(cam).all() or cam.min() == cam.max()


def normalize_map(cam: np.ndarray, mode: str = 'max') -> np.ndarray:
    """Bring a class map to a scale on which a threshold has a meaning.

    Args:
        cam: (h, w), any range.
        mode: ``max`` divides by the maximum: 1 is the peak, and what was
            negative stays so. ``minmax`` brings the map to [0, 1].

    Returns:
        float64 (h, w). All zero for a map with NaN or inf; with ``minmax``
        for a constant map, with ``max`` for one without a positive value, too.

    Raises:
        ValueError: If the mode is another, or the map not of shape (h, w).
    """
    cam = check_map(cam)
    if mode not in NORMALIZATIONS:
        raise ValueError(
            f'mode is {mode!r}; it must be one of {", ".join(NORMALIZATIONS)}'
        )
    if mode == 'max':
        # A share of a negative maximum would lie above it.
        blank = not np.isfinite(cam).all() or cam.max() <= 0
        return np.zeros_like(cam) if blank else cam / cam.max()
    # The reference gives such maps no foreground at all, and so a miss,
    # instead of leaving the image out.
    if is_blank(cam):
        return np.zeros_like(cam)
    cam = cam - cam.min()
    return cam / cam.max()


def resize_map(cam: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a class map to an image, before it is normalised.

    Bicubic, as the reference: the result goes a little beyond the range of
    the input, so that to normalise first would give another map.

    Args:
        cam: (h, w), any range.
        size: (h, w) of the result.

    Returns:
        float64 of that size.
    """
    cam = check_map(cam)
    if cam.shape == tuple(size):
        return cam
    # OpenCV takes (w, h). The reference hands it (h, w), which is the same
    # on its square grid.
    return cv2.resize(cam, tuple(size)[::-1], interpolation=cv2.INTER_CUBIC)


def to_levels(cam: np.ndarray) -> np.ndarray:
    """Return a map in [0, 1] as uint8, cut off as the reference does.

    There are then at most 256 different foregrounds, whatever the number of
    thresholds.
    """
    return (cam * 255).astype(np.uint8)


def threshold_levels(
    thresholds: np.ndarray, highest: int | np.integer
) -> np.ndarray:
    """Return the level above which a pixel is foreground, per threshold.

    A share of the map's highest level, cut off to a whole number; foreground
    is strictly above it (OpenCV's THRESH_BINARY). So the threshold 0 leaves
    out what is 0, and no threshold below 1 is beyond the peak.

    Args:
        thresholds: (T,) in [0, 1).
        highest: Highest level of the map, 0 to 255.
    """
    return (np.asarray(thresholds) * int(highest)).astype(int)


def map_to_boxes(
    cam: np.ndarray,
    threshold: float = 0.2,
    keep: str = 'largest',
    normalize: str = 'max',
) -> np.ndarray:
    """Return the box or boxes that a class map, at image size, stands for.

    Args:
        cam: (h, w), any range. Boxes are in its pixels.
        threshold: Share of the maximum that the foreground lies above,
            strictly: the papers do not say how a tie counts.
        keep: ``largest`` is the component of most pixels (the papers; of two
            as large, the one whose first row is higher up),
            ``largest_contour`` the contour around the greatest area
            (MaxBoxAcc), ``all`` every contour, those of holes as well
            (MaxBoxAccV2).
        normalize: ``max``: the papers' t * max. ``minmax``: the reference's
            normalisation, in 256 levels.

    Returns:
        int64 (k, 4) xyxy, k >= 1. Where nothing is foreground, the box
        (0, 0, 0, 0): the reference's way to make it a miss.

    Raises:
        ValueError: If ``keep`` or ``normalize`` is none of these, or the map
            not of shape (h, w).
    """
    if keep not in KEEP:
        raise ValueError(
            f'keep is {keep!r}; it must be one of {", ".join(KEEP)}'
        )
    cam = normalize_map(cam, normalize)
    if normalize == 'minmax':
        levels = to_levels(cam)
        mask = levels > threshold_levels(threshold, levels.max())
    else:
        mask = cam > threshold
    return mask_to_boxes(mask, keep)


def mask_to_boxes(mask: np.ndarray, keep: str = 'all') -> np.ndarray:
    """Return the boxes of a foreground; see :func:`map_to_boxes`.

    Args:
        mask: Boolean (h, w).
        keep: As in :func:`map_to_boxes`.
    """
    mask = np.ascontiguousarray(mask, np.uint8)
    if keep == 'largest':
        rects = largest_component(mask)
    else:
        rects = contour_rects(mask, keep == 'largest_contour')
    return close_boxes(rects or [(0, 0, 0, 0)], mask.shape)


def largest_component(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (x, y, w, h) of the component of most pixels, if there is one.

    Pixels that touch at a corner are connected, as within a contour.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if len(stats) == 1:  # the background alone
        return []
    x, y, w, h, _ = stats[1:][stats[1:, cv2.CC_STAT_AREA].argmax()]
    return [(x, y, w, h)]


def contour_rects(
    mask: np.ndarray, largest: bool = False
) -> list[tuple[int, int, int, int]]:
    """Return (x, y, w, h) around each contour of a uint8 mask.

    Args:
        mask: (h, w), 0 is background.
        largest: Return that of greatest area alone. It is the area of the
            polygon through the centres of the pixels, as the reference takes
            it: a line one pixel wide has none.
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

    Its ends are exclusive (x + w), yet it takes IoU of boxes whose ends are
    inclusive: boxes are one pixel too large, but not at the border, where
    they are clipped. All its published numbers are made so.

    Args:
        rects: k of them, in pixels of the map.
        shape: (h, w) of the map.

    Returns:
        int64 (k, 4).
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
    """Bring ground-truth boxes from an image to the grid of its map.

    Args:
        boxes: (n, 4) xyxy in pixels of the image.
        ori_shape: (h, w) of the image.
        size: (h, w) of the grid.

    Returns:
        int64 (n, 4), cut off to whole pixels as the reference does, and
        within the grid: ends of other sources may equal the width.
    """
    (height, width), (rows, columns) = ori_shape, size
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    # Multiplied first, as the reference: another order rounds otherwise.
    scaled = boxes * [columns, rows, columns, rows]
    ends = [columns - 1, rows - 1, columns - 1, rows - 1]
    # Clipped first: what is beyond int64 would come out as any number.
    scaled = np.clip(scaled / [width, height, width, height], 0, ends)
    return scaled.astype(np.int64)


def box_iou_inclusive(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the IoU of each pair of boxes whose ends belong to them.

    Widths are x2 - x1 + 1, as in the ILSVRC devkit and in the reference.

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
    area_a, area_b = (_areas(boxes) for boxes in (a, b))
    return inner / (area_a[:, None] + area_b[None] - inner)


def _areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas (n,) of boxes whose ends belong to them."""
    return (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
