"""Object and occluder masks of the two occluded PASCAL3D+ sets.

Masks are uint8 (h, w), 1 on the object or on what hides it.
"""

from pathlib import Path

import cv2
import numpy as np

from mmocc.utils.npz_reader import read_npz
from mmocc.utils.photos import open_shown
from mmocc.utils.readable import PICTURE_ERRORS

# Masks in JPEG have values besides 0 and 255.
_WHITE = 127
# OccludedPASCAL3D+ counts a pixel as object where its mask exceeds this.
_OBJECT_ABOVE = 10
# Object masks of the vehicles fit images whose shorter side is this long.
MASK_SHORT_SIDE = 224
_ROUNDING = 2  # pixels


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask at another (h, w), by the nearest pixel."""
    if mask.shape == tuple(size):
        return mask
    return cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)


def read_white(path: str) -> np.ndarray:
    """Return 1 where a mask image is white (first channel), uint8.

    ValueError if the file is unreadable.
    """
    try:
        file = open_shown(path)
        grey = file.mode in ('1', 'L')
        image = file if grey else file.convert('RGB').getchannel(0)
        pixels = np.array(image.convert('L'))
    except PICTURE_ERRORS as error:
        raise ValueError(
            f'{path}: unreadable mask ({error}); fetch it again'
        ) from error
    return (pixels > _WHITE).astype(np.uint8)


def read_vehicle_masks(
    object_path: str, occluder_path: str | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return object and occluder mask of a vehicle, at the image's (h, w).

    The object mask is cut (not resized), from its upper left corner, to the
    occluder mask's size at a shorter side of 224 pixels. Without an
    ``occluder_path`` nothing is hidden.

    Raises:
        ValueError: A file is unreadable, or the masks do not fit each other.
    """
    occluder = np.zeros(size, np.uint8)
    if occluder_path is not None:
        occluder = read_white(occluder_path)
    scale = MASK_SHORT_SIDE / min(occluder.shape)
    height, width = (round(side * scale) for side in occluder.shape)
    item = read_white(object_path)[:height, :width]
    missing = height - item.shape[0], width - item.shape[1]
    if max(missing) > _ROUNDING:
        raise ValueError(
            f'{object_path}: the mask ends {missing} pixels (h, w) before '
            f'the {height} x {width} that {occluder_path or "its image"} has '
            f'at a shorter side of {MASK_SHORT_SIDE}; fetch both again, or '
            'set with_masks=False'
        )
    item = np.pad(item, ((0, missing[0]), (0, missing[1])))
    return resize_mask(item, size), resize_mask(occluder, size)


def read_object_mask(
    path: str | Path, size: tuple[int, int]
) -> np.ndarray | None:
    """Return an OccludedPASCAL3D+ file's object mask, uint8, at (h, w).

    None where the file has none, as in the occluded training images;
    ValueError if the member is no mask. Some clean masks have another size.
    """
    mask = read_npz(path, ['mask'])['mask']
    if mask.dtype == object and mask.shape == () and mask.item() is None:
        return None
    return resize_mask(
        (_flat(mask, path) > _OBJECT_ABOVE).astype(np.uint8), size
    )


def read_occluder_mask(path: str, size: tuple[int, int]) -> np.ndarray:
    """Return an OccludedPASCAL3D+ file's occluder mask at (h, w).

    ValueError if the member is no mask.
    """
    mask = read_npz(path, ['occluder_mask'])['occluder_mask']
    return resize_mask((_flat(mask, path) > 0).astype(np.uint8), size)


def _flat(mask: np.ndarray, path: str | Path) -> np.ndarray:
    """Return a mask as (h, w): the largest of its channels."""
    dims = mask.ndim in (2, 3) and mask.size
    if mask.dtype.kind not in 'biuf' or not dims:
        raise ValueError(
            f'{path}: a mask of type {mask.dtype} and shape {mask.shape}; it '
            'must be numbers of shape (h, w) or (h, w, c), none of them 0'
        )
    return mask if mask.ndim == 2 else mask.max(axis=2)
