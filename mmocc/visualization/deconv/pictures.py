"""Pictures of projected activations, as in figure 2 of arXiv 1311.2901."""

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from mmocc.visualization.sheet import Panel

GREY = 128
GAP = 3  # pixels between the tiles of a mosaic


def as_picture(projection: Tensor, to_rgb: bool = True) -> np.ndarray:
    """Return a projection as an image (H, W, 3) uint8 RGB; grey is zero.

    Args:
        projection: (3, H, W), any range; the largest absolute value becomes
            0 or 255.
        to_rgb: Whether the network's input is RGB; else it is BGR.
    """
    values = projection.float().cpu().numpy().transpose(1, 2, 0)
    values = values if to_rgb else values[..., ::-1]
    values = values / (np.abs(values).max() or 1)
    return np.round(127.5 + 127.5 * values).astype(np.uint8)


def cut_tile(
    image: np.ndarray, box: Sequence[int], size: int = 96
) -> np.ndarray:
    """Return a box (xyxy) of an image as a square tile, padded with grey."""
    x1, y1, x2, y2 = box
    part = image[y1:y2, x1:x2]
    height, width = part.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = part
    way = cv2.INTER_NEAREST if size > side else cv2.INTER_AREA
    return cv2.resize(square, (size, size), interpolation=way)


def mosaic(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Arrange tiles of one size in a square, row by row, on white."""
    across = int(np.ceil(np.sqrt(len(tiles))))
    down = -(-len(tiles) // across)
    height, width = tiles[0].shape[:2]
    page = np.full(
        (down * (height + GAP) - GAP, across * (width + GAP) - GAP, 3),
        255,
        np.uint8,
    )
    for place, tile in enumerate(tiles):
        y, x = divmod(place, across)
        top, left = y * (height + GAP), x * (width + GAP)
        page[top : top + height, left : left + width] = tile
    return page


def channel_panels(
    channel: int,
    values: Sequence[float],
    projections: Sequence[np.ndarray],
    patches: Sequence[np.ndarray],
) -> list[Panel]:
    """Return a channel's projections and the patches that it looked at.

    ``values`` are its activations, the strongest first; ``projections`` and
    ``patches`` have a tile for each.
    """
    captions = f'activation {values[0]:.3g}', ''
    if len(values) > 1:
        span = f'{values[0]:.3g} to {values[-1]:.3g}'
        captions = f'activations {span}', 'strongest first'
    name = f'channel {channel}'
    return [
        Panel(mosaic(projections), f'{name}: projections', captions[0]),
        Panel(mosaic(patches), f'{name}: image patches', captions[1]),
    ]
