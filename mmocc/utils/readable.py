"""Errors that name the file, for files that others wrote."""

import csv
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

# No image has a larger coordinate, and float32 can hold it.
PIXEL_LIMIT = 2**31
# What Pillow raises for pictures that are damaged or have too many pixels.
PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@contextmanager
def readable_text(path: str | Path) -> Iterator[None]:
    """Raise ValueError, with the path, for a file not in UTF-8 or CSV."""
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f'{path}: not readable as text ({error}); fetch it again, or save '
            'it as UTF-8'
        ) from error
