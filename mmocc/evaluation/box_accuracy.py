"""At which thresholds a box that is cut from a class map is right."""

from collections.abc import Sequence

import numpy as np

from mmocc.evaluation.box_sweep import sweep_thresholds
from mmocc.evaluation.localization import (
    enlarge_map,
    scale_boxes,
    to_levels,
)
from mmocc.utils.cell_grid import CellGrid


def box_hits(
    cam: np.ndarray,
    gt_boxes: np.ndarray,
    ori_shape: tuple[int, int],
    thresholds: np.ndarray,
    iou_thrs: Sequence[float],
    eval_size: tuple[int, int] = (224, 224),
    largest: bool = False,
    cells: CellGrid | None = None,
) -> np.ndarray:
    """Return at which thresholds a box of a map is right.

    Args:
        cam: (h, w), any range, over the whole image.
        gt_boxes: (n, 4) xyxy in pixels of the image; a box is right if it
            meets one of them.
        ori_shape: (h, w) of the image.
        thresholds: (T,) in [0, 1).
        iou_thrs: D values in (0, 1].
        eval_size: (h, w) of the grid to which map and boxes are scaled.
        largest: Version 1: only the largest contour.
        cells: Where the map's cells lie; by default they cover the image
            evenly, as in the reference.

    Returns:
        Boolean (D, T).
    """
    ious = sweep_thresholds(
        to_levels(enlarge_map(cam, eval_size, 'minmax', cells)),
        thresholds,
        scale_boxes(gt_boxes, ori_shape, eval_size),
        min(iou_thrs),
        largest,
    )
    return ious >= np.asarray(iou_thrs)[:, None]


def best_accuracy(
    hits: np.ndarray, images: int, thresholds: np.ndarray
) -> list[tuple[float, float]]:
    """Return, for each IoU, the best accuracy in percent and its threshold.

    Args:
        hits: int (D, T), the number of right images.
        images: Number of all images.
        thresholds: (T,).
    """
    best = hits.argmax(axis=1)
    return [
        (100 * float(row[place]) / images, float(thresholds[place]))
        for row, place in zip(hits, best, strict=True)
    ]
