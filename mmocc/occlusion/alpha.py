"""Cut-outs with an alpha: mixed by premultiplied colours.

A transparent pixel has some colour too, black as a rule. Mixed as it is, it
would give each cut-out a dark rim, by which a network could know occluders.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def premultiply(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return BGRA as float32, colours times alpha, alpha in [0, 1].

    Resized like this, transparent pixels lend no colour.
    """
    alpha = image[..., 3:] / np.float32(255)
    return np.dstack([image[..., :3] * alpha, alpha]).astype(np.float32)


def straighten(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return premultiplied BGRA with colours of their own, in 0 to 255.

    Colours are 0 where nothing is opaque.
    """
    alpha = image[..., 3:]
    colours = image[..., :3] / np.maximum(alpha, np.float32(1e-3))
    return np.dstack([colours.clip(0, 255), alpha])


def resize(
    image: NDArray[np.uint8], size: Sequence[int]
) -> NDArray[np.float32]:
    """Resize BGRA to (w, h) by areas; it comes premultiplied."""
    resized: NDArray[Any] = cv2.resize(
        premultiply(image), size, interpolation=cv2.INTER_AREA
    )
    return resized


def to_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return BGRA, whose alpha is in [0, 1], as uint8."""
    scaled: NDArray[Any] = image * np.array([1, 1, 1, 255], np.float32)
    return scaled.round().astype(np.uint8)


def sample(sheets: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sample premultiplied BGRA at all columns and rows of an image.

    Args:
        sheets: (N, 4, S, S) uint8; or (N, 2, S, S), grey.
        x: (N, w), where each column is on a sheet that covers [-1, 1].
        y: (N, h), likewise for rows.

    Returns:
        Colours of their own, (N, 3 or 1, h, w) float in [0, 255], and alpha
        (N, 1, h, w) in [0, 1]. The colour is the sheet's mean where it is
        transparent.
    """
    height, width = y.shape[1], x.shape[1]
    grid = torch.stack(
        [
            x[:, None].expand(-1, height, -1),
            y[..., None].expand(-1, -1, width),
        ],
        dim=-1,
    )
    sheets = sheets.float()
    bgra = F.grid_sample(sheets, grid, align_corners=False)
    # Of its mean, just so much that a transparent pixel has a colour.
    mean = 1e-4 * sheets.mean(dim=(2, 3), keepdim=True)
    alpha = bgra[:, -1:] / 255
    factor = 255 / (bgra[:, -1:] + mean[:, -1:])
    colours = bgra[:, :-1].mul_(factor).addcmul_(mean[:, :-1], factor)
    return colours, alpha
