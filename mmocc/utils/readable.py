"""What is checked in files that others wrote."""

import struct
import zlib

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
