"""Colours of maps, on a scale that is stated and the same on all pictures.

mmengine's ``convert_overlay_heatmap`` stretches each map over all colours: two
maps 100 times apart look the same.
"""

from typing import NamedTuple

import cv2
import numpy as np


class Scale(NamedTuple):
    """What the colours of a map mean; drawn as a bar beside the picture."""

    low: float  # dark blue, and all below
    high: float  # dark red, and all above
    text: str = ''  # what is measured, with its unit


def heat_colours(
    heat: np.ndarray, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Return the colours of a map, (H, W, 3) uint8 RGB, blue to red.

    Args:
        heat: (H, W), finite.
        low: What is dark blue, and all below.
        high: What is dark red, and all above.

    Raises:
        ValueError: If ``high`` is not above ``low``.
    """
    if not high > low:
        raise ValueError(
            f'a scale of colours goes from low to high, got {low} to {high}'
        )
    share = (np.asarray(heat, np.float32) - low) / (high - low)
    levels = (255 * share.clip(0, 1) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(
        cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    )


def overlay_heat(
    image: np.ndarray,
    heat: np.ndarray,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.5,
) -> np.ndarray:
    """Return an image (H, W, 3) uint8 RGB under the colours of a map (H, W).

    ``alpha`` is the share of the colours; for the rest see
    :func:`heat_colours`.
    """
    colours = heat_colours(heat, low, high)
    return cv2.addWeighted(image, 1 - alpha, colours, alpha, 0)
