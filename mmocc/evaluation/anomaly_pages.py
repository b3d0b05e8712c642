"""The true objects of a page, and the map of anomalies that a model draws."""

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor


class AnomalyTruth(NamedTuple):
    """All ``n`` objects of an image.

    ``boxes`` (n, 4) float xyxy; ``labels`` (n,) int64, -1 for what is outside
    the dictionary; ``anomaly`` (n,) bool.
    """

    boxes: Tensor
    labels: Tensor
    anomaly: Tensor


def anomaly_truth(sample: dict[str, Any]) -> AnomalyTruth:
    """Return the objects of a data sample or of its dict, known classes first.

    :mod:`mmocc.datasets.ornament_pages` tells how samples hold them. Ignored
    objects that are not anomalous, such as crowds, are left out.

    Raises:
        KeyError: The sample does not tell which objects are anomalous.
    """
    known, ignored = (
        _fields(sample, name) for name in ('gt_instances', 'ignored_instances')
    )
    outside = ignored['anomaly'] > 0
    boxes, labels, anomaly = (
        torch.cat([known[key], ignored[key][outside]])
        for key in ('bboxes', 'labels', 'anomaly')
    )
    return AnomalyTruth(boxes.float(), labels, anomaly > 0)


def _fields(sample: dict[str, Any], name: str) -> dict[str, Tensor]:
    """Return boxes, labels and anomaly of one field, as plain tensors."""
    instances = sample.get(name)
    keys = ('bboxes', 'labels', 'anomaly')
    for key in keys:
        if instances is None or key not in instances:
            raise KeyError(
                f'the sample has no {key!r} in {name}; use '
                'mmocc.LoadAnomalyAnnotations and mmocc.PackAnomalyInputs in '
                'the test pipeline'
            )
    values = {key: instances[key] for key in keys}
    values['bboxes'] = getattr(values['bboxes'], 'tensor', values['bboxes'])
    return values


def background_difference(
    image: Tensor, size: tuple[int, int], background: float
) -> np.ndarray:
    """Return how far the pixels of an image are from blank paper, in [0, 1].

    ``image`` is (C, h, w) from 0 to 255, ``size`` (H, W) that of the result,
    ``background`` the paper's shade, 0 to 1.
    """
    shades = image.detach().float().cpu() / 255
    difference = (shades - background).abs().mean(0).numpy()
    smaller = size[0] < difference.shape[0]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(difference, size[::-1], interpolation=way)


def paste_maps(
    base: np.ndarray,
    maps: np.ndarray,
    boxes: np.ndarray,
    confidence: np.ndarray,
) -> np.ndarray:
    """Return a page with the maps of objects pasted on it, antialiased.

    The most confident detection is on top. Boxes are not rounded: a pixel of
    the page whose centre lies in a box shows the map at that place.

    Args:
        base: (H, W) or (H, W, C) float32; it is not changed.
        maps: (n, s, s) or (n, s, s, C) float32.
        boxes: (n, 4) xyxy in pixels of the page; may reach beyond it.
        confidence: (n,).
    """
    page = base.copy()
    for index in np.argsort(confidence, kind='stable'):
        _paste(page, maps[index], boxes[index])
    return page


def _paste(page: np.ndarray, one: np.ndarray, box: np.ndarray) -> None:
    """Paste one map on a page, in place."""
    x1, y1, x2, y2 = (float(value) for value in box)
    height, width = page.shape[:2]
    # The pixels whose centres lie in the box.
    left, right = (int(np.clip(np.ceil(x - 0.5), 0, width)) for x in (x1, x2))
    top, bottom = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (y1, y2))
    if left >= right or top >= bottom:
        return
    side = one.shape[0]
    # The map's size on the page, if that is smaller than the map.
    small = np.minimum(np.ceil([x2 - x1, y2 - y1]), side).astype(int)
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
