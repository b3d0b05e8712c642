"""Photos of strangers: read within limits, cut to what a network sees."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmocc.utils.photos import open_shown, stored_size
from mmocc.utils.readable import PICTURE_ERRORS

MAX_MIB = 20
MAX_PIXELS = 40_000_000
LEAST_SIDE = 8
Pixels = NDArray[np.uint8]


class PhotoError(ValueError):
    """A photo that the app does not take; says why, and what to do."""


def read_photo(path: str | Path | None) -> Pixels:
    """Return a photo (H, W, 3) uint8 RGB, turned as its header says.

    The header is looked at before a pixel is decoded.

    Raises:
        PhotoError: If there is none, or it is no picture, damaged, too large
            or too small, or has values of other than 8 bits.
    """
    if not path:
        raise PhotoError('Give a photo first.')
    size = Path(path).stat().st_size / 2**20
    if size > MAX_MIB:
        raise PhotoError(
            f'The file has {size:.0f} MiB, and the app takes up to {MAX_MIB}: '
            'make the photo smaller.'
        )
    try:
        with warnings.catch_warnings():
            # Pillow warns of sizes that are refused here, or allowed.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            _check_header(path)
            shown = open_shown(path)
    except Image.DecompressionBombError:
        raise _too_many(None) from None
    except PhotoError:
        raise
    except PICTURE_ERRORS as error:
        reason = (str(error).strip().splitlines() or ['damaged'])[0]
        reason = reason.replace(str(path), Path(path).name)
        raise PhotoError(
            f'This is no picture that can be read ({reason}). JPEG, PNG, BMP, '
            'WebP and TIFF can.'
        ) from error
    return np.asarray(_as_rgb(shown))


def _check_header(path: str | Path) -> None:
    """Raise PhotoError if a picture has too many or too few pixels."""
    with Image.open(path) as image:
        width, height = stored_size(image)
        if width * height > MAX_PIXELS:
            raise _too_many((width, height))
        if min(width, height) < LEAST_SIDE:
            raise PhotoError(
                f'The picture has {width} x {height} pixels; both sides need '
                f'{LEAST_SIDE} or more.'
            )
        if image.mode[0] in 'IF':
            raise PhotoError(
                f'The values of the picture (mode {image.mode}) have more '
                'than 8 bits: save it with 8 bits a channel.'
            )


def _too_many(size: tuple[int, int] | None) -> PhotoError:
    """Return the error of a picture with too many pixels."""
    has = 'The picture has too many pixels'
    if size:
        has = f'The picture has {size[0]} x {size[1]} pixels'
    return PhotoError(
        f'{has}; the app takes up to {MAX_PIXELS // 10**6} million: make it '
        'smaller.'
    )


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as RGB, on white where it is transparent."""
    if 'A' not in image.getbands() and 'transparency' not in image.info:
        return image.convert('RGB')
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    return Image.alpha_composite(white, image).convert('RGB')


def square(photo: Pixels, side: int, part: float = 1.0) -> Pixels:
    """Return the middle of a photo as a network sees it.

    Args:
        photo: (H, W, 3) uint8.
        side: Of the square, in pixels.
        part: Of the photo's shorter side that the square has, up to 1; 0.875
            is usual with ImageNet.

    Returns:
        (side, side, 3) uint8.
    """
    height, width = photo.shape[:2]
    edge = part * min(height, width)
    left, top = (width - edge) / 2, (height - edge) / 2
    box = left, top, left + edge, top + edge
    resized = Image.fromarray(photo).resize(
        (side, side), Image.Resampling.BICUBIC, box
    )
    return np.asarray(resized)


def enlarged(photo: Pixels, side: int = 336) -> Pixels:
    """Return a small photo in whole multiples, up to a side, without blur."""
    times = max(1, side // max(photo.shape[:2]))
    return photo.repeat(times, axis=0).repeat(times, axis=1)
