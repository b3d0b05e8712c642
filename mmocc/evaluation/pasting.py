"""Maps of objects, laid where the objects are."""

import cv2
import numpy as np


def paste_maps(
    base: np.ndarray,
    maps: np.ndarray,
    boxes: np.ndarray,
    confidence: np.ndarray,
) -> np.ndarray:
    """Return a page with the maps of objects laid over it.

    Where objects overlap, that of the most confident detection is seen. Maps
    are resized antialiased, and boxes are not rounded: a pixel of the page
    whose centre lies in a box shows what the map has there.

    Args:
        base: (H, W) or (H, W, C) float32; it is not changed.
        maps: (n, s, s) or (n, s, s, C) float32.
        boxes: (n, 4) xyxy in pixels of the page; may reach beyond it.
        confidence: (n,).

    Returns:
        An array as ``base``.
    """
    page = base.copy()
    for index in np.argsort(confidence, kind='stable'):
        _paste(page, maps[index], boxes[index])
    return page


def _paste(page: np.ndarray, one: np.ndarray, box: np.ndarray) -> None:
    """Lay one map over a page, in place."""
    x1, y1, x2, y2 = (float(value) for value in box)
    height, width = page.shape[:2]
    # The pixels whose centres lie in the box.
    left, right = (int(np.clip(np.ceil(x - 0.5), 0, width)) for x in (x1, x2))
    top, bottom = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (y1, y2))
    if left >= right or top >= bottom:
        return
    side = one.shape[0]
    wanted = np.ceil([x2 - x1, y2 - y1])
    # As the page shows it, if that is less.
    small = np.minimum(wanted, side).astype(int)
    if (small < side).any():
        one = cv2.resize(one, small.tolist(), interpolation=cv2.INTER_AREA)
    scale_x, scale_y = small / np.array([x2 - x1, y2 - y1])
    # From pixel k of the part to the map, centre to centre.
    to_map = np.array(
        [
            [scale_x, 0, (left + 0.5 - x1) * scale_x - 0.5],
            [0, scale_y, (top + 0.5 - y1) * scale_y - 0.5],
        ]
    )
    page[top:bottom, left:right] = cv2.warpAffine(
        one,
        to_map,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
