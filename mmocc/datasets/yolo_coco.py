"""Labels in YOLO's layout, as one COCO annotation file.

YOLO's layout has a text file for each image, of the same name, with a line
for each object: ``class x y w h`` (the middle and size of a box), or ``class
x1 y1 x2 y2 x3 y3 ...`` (a polygon); all coordinates as shares of the image.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmocc.occlusion.banks import IMAGE_SUFFIXES
from mmocc.utils.readable import PICTURE_ERRORS, readable_text

ORIENTATION = 0x0112  # EXIF tag; from 5 on, width and height are exchanged
SLACK = 1e-3  # rounding of labels that touch the image's border


def image_size(path: Path) -> tuple[int, int]:
    """Return an image's (w, h) as mm loads it: turned as EXIF says.

    Raises:
        ValueError: If the file is not a readable image.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            width, height = image.size
    except PICTURE_ERRORS as error:
        raise ValueError(f'{path} is not a readable image: {error}') from error
    return (height, width) if turned else (width, height)


def parse_line(line: str, num_classes: int) -> tuple[int, np.ndarray]:
    """Return class and coordinates of a label line.

    Args:
        line: ``class`` and 4 numbers (a box) or 6 and more (a polygon).
        num_classes: Classes that there are.

    Returns:
        The class, and (4,) middle x, y, width and height, or (n, 2) points.

    Raises:
        ValueError: If the line is neither, or names no class, or lies outside
            the image.
    """
    first, *rest = line.split()
    label, values = int(first), np.array(rest, float)
    if not 0 <= label < num_classes:
        raise ValueError(f'class {label} is none of 0 to {num_classes - 1}')
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(
            f'{len(values)} numbers behind the class; a box has 4, a polygon '
            'an even number from 6 on'
        )
    if not (np.abs(values - 0.5) <= 0.5 + SLACK).all():
        raise ValueError('coordinates must be shares of the image, in [0, 1]')
    return label, values if len(values) == 4 else values.reshape(-1, 2)


def annotation(
    label: int, shape: np.ndarray, size: tuple[int, int]
) -> dict | None:
    """Return a COCO annotation, in pixels; None if it has no area.

    Args:
        label: Class.
        shape: Result of :func:`parse_line`.
        size: (w, h) of the image.
    """
    extra = {}
    if shape.ndim == 1:
        middle, half = shape[:2] * size, shape[2:] * size / 2
        low, high = middle - half, middle + half
    else:
        points = shape.clip(0, 1) * size
        low, high = points.min(0), points.max(0)
        extra['segmentation'] = [points.round(2).ravel().tolist()]
    low, high = low.clip(0, size), high.clip(0, size)
    width, height = high - low
    area = width * height
    if extra:  # the shoelace formula
        x, y = points.T
        area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    if area <= 0:
        return None
    box = np.round([*low, width, height], 2).tolist()
    return dict(
        category_id=label,
        bbox=box,
        area=round(float(area), 2),
        iscrowd=0,
        **extra,
    )


def yolo_to_coco(
    images: Path, labels: Path, classes: Sequence[str]
) -> tuple[dict, dict[str, int]]:
    """Return a COCO annotation file's content, and counts.

    An image without a label file is one without objects.

    Args:
        images: Folder of images, searched with its subfolders.
        labels: Folder of text files, laid out as ``images``.
        classes: Names by class number; empty names are classes left out of
            the file's categories, and no object may be of one.

    Returns:
        The content; and the numbers of images and objects, of images without
        a label file, of label files without an image, and of objects left out
        because they have no area.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no image, or a label is bad (naming the line).
    """
    files = _image_files(images, labels)
    known, infos, used = [], [], set()
    counts = dict(images=len(files), objects=0, unlabelled=0, no_area=0)
    for number, path in enumerate(files, start=1):
        name = path.relative_to(images)
        size = image_size(path)
        info = dict(id=number, file_name=name.as_posix())
        infos.append(dict(info, width=size[0], height=size[1]))
        label_file = (labels / name).with_suffix('.txt')
        used.add(label_file)
        counts['unlabelled'] += not label_file.exists()
        for found in _read(label_file, classes, size):
            if found is None:
                counts['no_area'] += 1
            else:
                known.append(dict(id=len(known) + 1, image_id=number, **found))
    counts['objects'] = len(known)
    counts['no_image'] = len(set(labels.rglob('*.txt')) - used)
    names = [dict(id=i, name=name) for i, name in enumerate(classes) if name]
    return dict(images=infos, annotations=known, categories=names), counts


def _image_files(images: Path, labels: Path) -> list[Path]:
    """Return the image files, once both folders are known to exist."""
    for folder in (images, labels):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} is not a folder')
    files = [
        path
        for path in sorted(images.rglob('*'))
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise ValueError(f'{images} holds no image')
    return files


def _read(
    path: Path, classes: Sequence[str], size: tuple[int, int]
) -> list[dict | None]:
    """Return the annotations of a label file, of none if it is absent."""
    if not path.exists():
        return []
    with readable_text(path):
        lines = path.read_text(encoding='utf-8').splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            label, shape = parse_line(line, len(classes))
            if not classes[label]:
                raise ValueError(f'class {label} has no name')
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {error}') from error
        found.append(annotation(label, shape, size))
    return found
