"""Reads the Pascal VOC layout: lists, folders and annotation files.

M. Everingham et al., IJCV 2010. Boxes in the files are 1-based and inclusive;
here they are 0-based, half-open xyxy pixels. No OpenMMLab import.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from mmocc.datasets.lists import read_names
from mmocc.utils.files import (
    IMAGE_SUFFIXES,
    expand,
    is_image,
    list_images,
    note,
    some,
)
from mmocc.utils.photos import HEADER_SIZE, agree
from mmocc.utils.readable import PIXEL_LIMIT

VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
    'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
    'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
PHOTOS = 'JPEGImages'
FLAGS = ('difficult', 'truncated', 'occluded')
UNKNOWN = -1  # value of a flag that the file does not state
UNSPECIFIED = 'unspecified'  # what some tools write into a flag; taken as 0
_WORDS = {
    **dict.fromkeys(('0', 'false', 'no', UNSPECIFIED), 0),
    **dict.fromkeys(('1', 'true', 'yes'), 1),
    '': UNKNOWN,
}
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
    """One annotation file.

    ``size`` is (w, h), or None if not stated; ``unspecified`` counts the flags
    with this word, which are read as 0.
    """

    size: tuple[int, int] | None
    objects: list[VOCObject]
    unspecified: int = 0


def read_split(root: Path, split: str) -> list[str]:
    """Return the image ids in ``ImageSets/Main/<split>.txt``, in its order.

    An id is the photo's path below ``JPEGImages`` without its ending.
    FileNotFoundError without root or list; ValueError if it is empty, not
    UTF-8, or names a photo twice.
    """
    root = expand(root)
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root}: no such folder; data_root must hold Annotations, '
            f'{PHOTOS} and ImageSets (tools/dataset_converters/ makes them)'
        )
    path = root / 'ImageSets' / 'Main' / f'{split}.txt'
    splits = ', '.join(sorted(p.stem for p in path.parent.glob('*.txt')))
    remedy = f'the splits here are: {splits or "none"}'
    return list(map(image_id, read_names(path, remedy, image_id)))


def image_id(name: str) -> str:
    """Return the id of a photo that a list names, with ending or without."""
    name = name.strip().strip('"').replace('\\', '/')
    name = name.removeprefix('./').removeprefix(f'{PHOTOS}/')
    return name[: name.rindex('.')] if is_image(name) else name


def index_folder(
    folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES
) -> dict[str, str]:
    """Map id to path for the pictures of a folder and of those below it.

    Empty without a folder. Of pictures that differ in their ending only, the
    first by name is taken, and the others are counted in the log.
    """
    index: dict[str, str] = {}
    others = []
    for path in list_images(folder, deep=True):
        if path.suffix.lower() not in suffixes:
            continue
        key = path.relative_to(expand(folder)).with_suffix('').as_posix()
        if index.setdefault(key, str(path)) != str(path):
            others.append(path.name)
    if others:
        note(
            f'{folder}: {len(others)} pictures have the name of another one, '
            f'except for the ending, and are left out: {some(others)}'
        )
    return index


def read_photos(root: Path, split: str) -> dict[str, str | None]:
    """Return the paths of a split's photos by id; None for a missing one.

    A photo that is not where its id says is looked for where ``<folder>`` and
    ``<filename>`` of its annotation say.
    """
    root = expand(root)
    ids = read_split(root, split)
    index = index_folder(root / PHOTOS)
    paths = {key: index.get(key) for key in ids}
    for key in [key for key, path in paths.items() if path is None]:
        xml = root / 'Annotations' / f'{key}.xml'
        if xml.is_file():
            paths[key] = _find_named(read_root(xml), index)
    return paths


def _find_named(root: Element, index: dict[str, str]) -> str | None:
    """Return the photo that an annotation names, or None."""
    texts = (root.findtext('folder'), root.findtext('filename'))
    folder, name = (image_id(text or '') for text in texts)
    inside = str(PurePosixPath(folder, name))
    return index.get(name) or index.get(inside)


def missing_photo(root: Path, split: str, img_id: str) -> FileNotFoundError:
    """Return the error for a photo of a split that is not there."""
    return FileNotFoundError(
        f'{root / PHOTOS / img_id}: no image with one of the endings '
        f'{", ".join(IMAGE_SUFFIXES)}, though the split {split!r} lists it; '
        'complete the folder'
    )


def parse_voc_xml(path: str | Path) -> VOCAnnotation:
    """Read the image size and all objects of one annotation file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is not a VOC annotation, attacks the parser with
            entities, or holds an object without a name, a usable box or 0/1
            flags; names it.
    """
    root = read_root(path)
    objects = list(_read_objects(root, path))
    words = [e.text or '' for f in FLAGS for e in root.findall(f'object/{f}')]
    unspecified = [w for w in words if w.strip().lower() == UNSPECIFIED]
    return VOCAnnotation(_read_size(root), objects, len(unspecified))


def read_fitting(xml: str | Path, photo: str | Path) -> VOCAnnotation:
    """Return an annotation with its photo's (w, h) as shown.

    Errors as of :func:`parse_voc_xml`; ValueError if the annotation is for a
    photo of another size. A line of the log tells if it states the size before
    the EXIF orientation.
    """
    annotation = parse_voc_xml(xml)
    boxes = [item.box for item in annotation.objects]
    size, by_header = agree(photo, annotation.size, str(xml), boxes)
    if by_header:
        note(f'{xml}: {HEADER_SIZE} ({photo})')
    return annotation._replace(size=size)


def read_root(path: str | Path) -> Element:
    """Return the ``<annotation>`` of a file, its tags without namespaces.

    Errors as of :func:`parse_voc_xml`: a page of HTML, or XML of another
    format, is no annotation without objects.
    """
    root = _parse_root(path)
    for element in root.iter():
        if isinstance(element.tag, str):  # not a comment
            element.tag = element.tag.rpartition('}')[2]
    if root.tag != 'annotation':
        raise ValueError(
            f'{path}: not a VOC annotation, its root is <{root.tag}> and not '
            '<annotation>; convert it, or fetch it again'
        )
    boxes = root.findall('.//bndbox')
    if boxes and root.find('object') is None:
        raise ValueError(
            f'{path}: {len(boxes)} <bndbox>, but no <object> right below '
            '<annotation>, where VOC has them; convert it'
        )
    return root


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
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
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
