"""How pictures lie in arrays: grey or colour, with alpha, BGR or RGB.

What all transforms that hide pixels take, and how they give it back.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

ORDERS = ('bgr', 'rgb')


def check_order(order: str | None) -> str | None:
    """Return a channel order or None; ValueError if it is unknown."""
    if order is not None and order not in ORDERS:
        raise ValueError(
            f'unknown channel_order {order!r}; choose from {list(ORDERS)}'
        )
    return order


def order_of(results: Mapping[str, Any], order: str | None = None) -> str:
    """Return the order of a sample's channels: given, its own, or a guess.

    The guess is ``bgr``, as mm loads files; and ``rgb`` for a sample of a data
    set that holds its images, as CIFAR's do (a number, but no path).
    """
    known = order or check_order(results.get('channel_order'))
    if known:
        return known
    held = 'sample_idx' in results and not results.get('img_path')
    return 'rgb' if held else 'bgr'


def picture_name(results: Mapping[str, Any]) -> str:
    """Return how errors name a sample's image."""
    return str(results.get('img_path') or 'the image')


def check_picture(
    results: Mapping[str, Any], who: str, floats: bool = False
) -> np.ndarray:
    """Return a sample's image as uint8: (H, W), or (H, W, C) with C 1, 3, 4.

    The fourth channel is alpha. With ``floats``, whole numbers from 0 to 255
    in float32 are taken as well. ``who`` is the transform's name.

    Raises:
        ValueError: If the image is anything else (naming it).
    """
    image = results['img']
    if is_picture(image):
        if image.dtype == np.uint8:
            return image
        if floats and image.dtype == np.float32 and is_whole(image):
            return image.astype(np.uint8)
    kind = getattr(image, 'dtype', type(image).__name__)
    also = ', or whole numbers from 0 to 255 in float32' if floats else ''
    raise ValueError(
        f'{picture_name(results)}: {who} takes images of shape (H, W), '
        f'(H, W, 1), (H, W, 3) or (H, W, 4) and of type uint8{also}, got '
        f'{kind} of shape {tuple(getattr(image, "shape", ()))}; put it before '
        'normalisation and packing'
    )


def is_picture(image: Any) -> bool:
    """Return whether it is an array (H, W), or (H, W, C) with C 1, 3, 4."""
    if not isinstance(image, np.ndarray) or not image.size:
        return False
    return image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))


def is_whole(image: np.ndarray) -> bool:
    """Return whether all numbers are whole and from 0 to 255."""
    with np.errstate(invalid='ignore'):  # NaN
        return bool(np.array_equal(image.astype(np.uint8), image))


def to_bgr(image: np.ndarray, order: str = 'bgr') -> np.ndarray:
    """Return a picture as (H, W, 3) in BGR, without alpha; may be a view.

    It is uint8 or float32.
    """
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        return np.broadcast_to(image, (*image.shape[:2], 3))
    colours = image[..., :3]
    return colours if order == 'bgr' else swap_colours(colours)


def swap_colours(image: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) RGB as BGR, or BGR as RGB; uint8 or float32."""
    # forty times as fast as a copy of NumPy's reversed view
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)


def like_picture(
    bgr: np.ndarray, image: np.ndarray, order: str = 'bgr'
) -> np.ndarray:
    """Return (H, W, 3) BGR pixels in the layout and type of a picture.

    That is the opposite of :func:`to_bgr`: grey is the mean of the channels,
    alpha is the picture's.
    """
    if image.ndim == 2 or image.shape[2] == 1:
        grey = bgr.mean(axis=-1).round().reshape(image.shape)
        return grey.astype(image.dtype)
    colours = bgr if order == 'bgr' else swap_colours(bgr)
    if image.shape[2] == 4:
        colours = np.concatenate([colours, image[..., 3:]], axis=-1)
    return np.ascontiguousarray(colours, image.dtype)
