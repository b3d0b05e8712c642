"""Files of others: what is wrong with one is said with its name."""

import csv
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

# Coordinates are below it in size: no image is larger, and float32 holds it.
PIXEL_LIMIT = 2**31
# What Pillow raises of damaged pictures, and of those of too many pixels.
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
    """Give the errors of reading a text file, or a CSV file, its name.

    Args:
        path: The file that is read inside.

    Raises:
        ValueError: If the file is not UTF-8, or no CSV file.
    """
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f'{path}: not readable as text ({error}); fetch it again, or save '
            'it as UTF-8'
        ) from error
