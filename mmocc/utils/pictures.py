"""Arrays as image files."""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image


def encode_image(
    image: np.ndarray, suffix: str = '.png', options: Sequence[int] = ()
) -> bytes:
    """Return an array as the bytes of an image file.

    ``image`` is uint8 (H, W), (H, W, 3) BGR or (H, W, 4) BGRA; ``options`` are
    OpenCV's flags and values. OSError if OpenCV cannot encode it.
    """
    encoded, data = cv2.imencode(suffix, image, list(options))
    if not encoded:
        raise OSError(f'OpenCV could not encode a {suffix} image')
    return data.tobytes()


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """Return an array as the bytes of a JPEG file; see encode_image."""
    return encode_image(image, '.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_pillow(image: Image.Image, **options: Any) -> bytes:
    """Return a Pillow image of any mode as the bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, 'PNG', **options)
    return file.getvalue()
