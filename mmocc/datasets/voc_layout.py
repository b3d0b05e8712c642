"""Reads the Pascal VOC layout: lists, folders and annotation files.

M. Everingham et al., IJCV 2010. Boxes in the files are 1-based and inclusive;
here they are 0-based, half-open xyxy pixels. No OpenMMLab import.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from mmocc.datasets.lists import read_names
from mmocc.utils.readable import PIXEL_LIMIT

VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
    'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
    'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')
FLAGS = ('difficult', 'truncated', 'occluded')
UNKNOWN = -1  # value of a flag that the file does not state
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class VOCObject(NamedTuple):
    """One annotated object.

    ``box`` is 0-based half-open xyxy in photo pixels; ``instance_id`` counts
    the objects of the file from 1, as the values of the instance mask do; the
    flags are 0, 1 or ``UNKNOWN``.
    """

    name: str
    box: tuple[float, float, float, float]
    instance_id: int
    difficult: int
    truncated: int
    occluded: int


class VOCAnnotation(NamedTuple):
    """One annotation file: ``size`` is (w, h), or None if not stated."""

    size: tuple[int, int] | None
    objects: list[VOCObject]


def read_split(root: Path, split: str) -> list[str]:
    """Return the image ids in ``ImageSets/Main/<split>.txt``, in its order.

    FileNotFoundError without root or list; ValueError if empty or not UTF-8.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root}: no such folder; data_root must hold Annotations, '
            'JPEGImages and ImageSets (tools/dataset_converters/ makes them)'
        )
    path = root / 'ImageSets' / 'Main' / f'{split}.txt'
    splits = ', '.join(sorted(p.stem for p in path.parent.glob('*.txt')))
    return read_names(path, f'the splits here are: {splits or "none"}')


def index_folder(folder: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Map stem to path for the files of a folder; empty without a folder."""
    if not folder.is_dir():
        return {}
    return {
        path.stem: str(path)
        for path in sorted(folder.iterdir(), reverse=True)
        if path.suffix.lower() in suffixes
    }


def parse_voc_xml(path: str | Path) -> VOCAnnotation:
    """Read the image size and all objects of one annotation file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is not XML, attacks the parser with entities, or holds
            an object without a name, a usable box or 0/1 flags; names it.
    """
    root = _parse_root(path)
    objects = list(_read_objects(root, path))
    return VOCAnnotation(_read_size(root), objects)


def _parse_root(path: str | Path) -> Element:
    """Return the root element; every failure of the parser is a ValueError."""
    try:
        return parse(str(path)).getroot()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{path}: no such annotation file, though the split lists it; '
            'complete the Annotations folder or remove the id from the split'
        ) from error
    except DefusedXmlException as error:
        raise ValueError(
            f'{path}: refused, it declares XML entities ({error}); VOC files '
            'need none, so take this file from a source that you trust'
        ) from error
    # The parser raises ValueError for an encoding that it does not know.
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError(
            f'{path}: not a readable XML file ({error}); fetch it again'
        ) from error


def _read_objects(root: Element, path: str | Path) -> Iterator[VOCObject]:
    """Yield the ``<object>`` elements in the order of the file."""
    for number, element in enumerate(root.findall('object'), start=1):
        where = f'{path}, object {number}'
        name = (element.findtext('name') or '').strip()
        if not name:
            raise ValueError(f'{where}: has no <name>; give it its class')
        flags = [_read_flag(element, flag, where) for flag in FLAGS]
        yield VOCObject(name, _read_box(element, where), number, *flags)


def _read_flag(element: Element, flag: str, where: str) -> int:
    """Return 0 or 1, or ``UNKNOWN`` where the flag is absent or empty."""
    text = (element.findtext(flag) or '').strip()
    if text in ('', '0', '1'):
        return int(text) if text else UNKNOWN
    raise ValueError(f'{where}: <{flag}> is {text!r}; it must be 0 or 1')


def _read_box(
    element: Element, where: str
) -> tuple[float, float, float, float]:
    """Return the box as 0-based half-open xyxy; refuse an empty one."""
    texts = [element.findtext(f'bndbox/{corner}') for corner in _CORNERS]
    try:
        x1, y1, x2, y2 = (float(text or '') for text in texts)
    except ValueError as error:
        raise ValueError(
            f'{where}: <bndbox> is {dict(zip(_CORNERS, texts, strict=True))};'
            ' it needs four numbers'
        ) from error
    box = (x1 - 1, y1 - 1, x2, y2)
    bounded = all(abs(value) < PIXEL_LIMIT for value in box)  # False for NaN
    if not bounded or box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError(
            f'{where}: inverted or empty box xmin={x1:g} ymin={y1:g} '
            f'xmax={x2:g} ymax={y2:g}, or one beyond {PIXEL_LIMIT} pixels; '
            'correct it or remove the object'
        )
    return box


def _read_size(root: Element) -> tuple[int, int] | None:
    """Return (w, h), or None where the file has no usable ``<size>``."""
    try:
        width = int(float(root.findtext('size/width') or 0))
        height = int(float(root.findtext('size/height') or 0))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None
