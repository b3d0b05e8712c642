"""Photos as they are shown: with the orientation that their header names.

A camera that is held upright stores the picture lying, and an EXIF tag that
tells how to turn it. OpenCV, and so mmcv's ``LoadImageFromFile``, turns it;
Pillow does not, nor do many tools that write annotations.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmocc.utils.readable import PICTURE_ERRORS

_TAG = 0x0112  # Orientation, in EXIF and in TIFF
_SWAPS = (5, 6, 7, 8)  # orientations that exchange width and height
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF
_SLACK = 1  # px that a box may leave its photo by
# What a reader says of annotations for which ``agree`` tells so.
HEADER_SIZE = (
    'states the size of the photo before its EXIF orientation; the boxes are '
    'read in the photo as shown'
)
_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Size = tuple[int, int]  # (w, h)


def orientation(image: Image.Image) -> int:
    """Return how an open picture is turned to show it, 1 to 8 as in EXIF.

    It is 1, not at all, if the header does not say so or is damaged, or if
    OpenCV does not turn pictures of the format.
    """
    if image.format == 'TIFF':
        value: Any = image.tag_v2.get(_TAG, 1)  # type: ignore[attr-defined]
        return value if value in range(1, 9) else 1
    exif = image.info.get('exif', b'')
    if image.format == 'PNG' and not exif:
        exif = _late_exif(image.fp)  # type: ignore[attr-defined]
    header = Image.Exif()
    try:
        header.load(exif)
        value = header.get(_TAG, 1)
    except Exception:  # a broken header raises anything
        value = 1
    turned = value in range(2, 9) and opencv_turns(str(image.format))
    return value if turned else 1


def _late_exif(file: BinaryIO) -> bytes:
    """Return the EXIF of a PNG that comes after the pixels, or nothing."""
    start, place = file.tell(), 8
    exif = b''
    while not exif:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], 'big')
        exif = file.read(length) if head[4:] == b'eXIf' else b''
        place += 12 + length
    file.seek(start)
    return exif


@cache
def opencv_turns(kind: str) -> bool:
    """Return whether OpenCV turns pictures of a format of Pillow's.

    Versions differ: 4.12 turns JPEG, PNG and TIFF, but not WebP.
    """
    exif, file = Image.Exif(), BytesIO()
    exif[_TAG] = 6
    try:
        Image.new('RGB', (16, 8)).save(file, kind, exif=exif)
    except (KeyError, OSError, ValueError):  # Pillow cannot write it
        return False
    data = np.frombuffer(file.getvalue(), np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return shown is not None and shown.shape[:2] == (16, 8)


def stored_size(image: Image.Image) -> Size:
    """Return (w, h) as the header states them, before any turn."""
    if image.format != 'TIFF':
        return image.size
    tags = image.tag_v2  # type: ignore[attr-defined]
    return tags[_WIDTH], tags[_HEIGHT]


def read_sizes(path: str | Path) -> tuple[Size, Size]:
    """Return the (w, h) of a photo as shown, and as its header states them.

    Only the header is read. ValueError if it is unreadable.
    """
    try:
        with Image.open(path) as image:
            stored = stored_size(image)
            turned = orientation(image) in _SWAPS
    except (*PICTURE_ERRORS, KeyError) as error:
        raise ValueError(
            f'{path}: unreadable image ({error}); fetch it again'
        ) from error
    return (stored[::-1] if turned else stored), stored


def photo_size(path: str | Path) -> Size:
    """Return the (w, h) of a photo as shown; ValueError if unreadable."""
    return read_sizes(path)[0]


def open_shown(path: str | Path) -> Image.Image:
    """Return a picture as it is shown, loaded, in the mode of its file.

    Raises what Pillow raises (``PICTURE_ERRORS``).
    """
    with Image.open(path) as image:
        # Pillow turns TIFF itself when it loads them.
        method = _METHODS.get(orientation(image))
        method = None if image.format == 'TIFF' else method
        image.load()
        return image.copy() if method is None else image.transpose(method)


def read_shown(path: str | Path) -> NDArray[np.uint8] | None:
    """Return a picture as shown, (H, W, 3) uint8 BGR; None if unreadable.

    As mmcv does, and other than ``cv2.imread``, it reads turned TIFF.
    """
    data = np.fromfile(path, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None


def turn(array: NDArray[Any], number: int) -> NDArray[Any]:
    """Return pixels (H, W, ...) turned as an orientation from 1 to 8 says."""
    if number in _SWAPS:
        array = array.swapaxes(0, 1)
    rows = -1 if number in (3, 4, 7, 8) else 1
    columns = -1 if number in (2, 3, 6, 7) else 1
    return array[::rows, ::columns]


def turn_shown(array: NDArray[Any], path: str | Path) -> NDArray[Any]:
    """Return the stored pixels (H, W, ...) of a file as they are shown.

    Unchanged if Pillow does not know the file's format.
    """
    try:
        with Image.open(path) as image:
            # OpenCV turns TIFF itself, whatever it is asked for.
            tiff = image.format == 'TIFF'
            return array if tiff else turn(array, orientation(image))
    except PICTURE_ERRORS:
        return array


def agree(
    path: str | Path,
    stated: Sequence[Any] | None,
    where: str,
    boxes: Iterable[Sequence[float]] = (),
) -> tuple[Size, bool]:
    """Compare a photo's size with what an annotation states.

    Some tools state the size of the header, before its orientation, though
    their boxes are those of the photo as shown. It is told from the boxes:
    all must lie in the photo as shown.

    Args:
        path: The photo.
        stated: (w, h) of an annotation; None, or a None in it, if it states
            none.
        where: The annotation, for messages.
        boxes: Its boxes, xyxy in pixels.

    Returns:
        (w, h) as shown, and whether the stated size is that of the header,
            before its orientation.

    Raises:
        ValueError: The sizes differ; names both, and EXIF if that is why.
    """
    shown, stored = read_sizes(path)
    if stated is None or None in stated or tuple(stated) == shown:
        return shown, False
    if tuple(stated) != stored:
        raise ValueError(
            f'{path}: is {shown[0]} x {shown[1]} pixels, but {where} is for '
            f'{stated[0]} x {stated[1]}; they do not belong together: fetch '
            'both from one source, or correct the stated size'
        )
    for box in boxes:
        if not _holds(shown, box):
            raise ValueError(
                f'{path}: is {shown[0]} x {shown[1]} pixels as shown, but '
                f'{where} is for {stored[0]} x {stored[1]}, its size before '
                'the EXIF orientation, and the box '
                f'{[round(float(v), 2) for v in box]} (xyxy) leaves the '
                'photo as shown. Save the photo without the EXIF '
                'orientation, or annotate it as shown'
            )
    return shown, True


def _holds(size: Size, box: Sequence[float]) -> bool:
    """Return whether a box lies in a photo, up to the slack."""
    low, high = min(box[:2]), (box[2] - size[0], box[3] - size[1])
    return low >= -_SLACK and max(high) <= _SLACK
