"""Annotations of Occluded COCO and Separated COCO, read without running code.

Zhan et al., A Tri-Layer Plugin to Improve Occluded Detection, BMVC 2022
(https://arxiv.org/abs/2210.10046). Each file is a list of objects of COCO's
val2017, each of them a list of at least five:

    [file name, class name, annotation id, box, mask (compressed RLE), ...]

The official files are pickles, ``occluded_coco.pkl`` (boxes are xywh) and
``separated_coco.pkl`` (boxes are xyxy); json of the same structure is read as
well. A pickle can run any code when it is loaded: here only one of plain
values and NumPy numbers is accepted.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmocc.utils.plain_pickle import load_plain
from mmocc.utils.readable import PIXEL_LIMIT


class HardObject(NamedTuple):
    """One object of a subset.

    Attributes:
        file_name: Name of its photo, without folders.
        class_name: COCO's name.
        ann_id: Its id in COCO's annotations.
        box: (x1, y1, x2, y2) in pixels.
        mask: Compressed RLE, a dict of ``size`` and ``counts`` (a str); None
            if the file has none.
    """

    file_name: str
    class_name: str
    ann_id: int
    box: tuple[float, float, float, float]
    mask: dict | None


def read_subset(path: str | Path, box_format: str) -> list[HardObject]:
    """Read Occluded COCO, Separated COCO or a file of the same structure.

    Args:
        path: A ``.json`` or ``.pkl`` file.
        box_format: ``xywh``, as the boxes of Occluded COCO are, or ``xyxy``,
            as those of Separated COCO.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither json nor a plain pickle, is empty, or an
            item is not as described (naming file and item).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; Occluded and Separated COCO are at '
            'https://www.robots.ox.ac.uk/~vgg/research/tpod/'
        )
    items = _load(path)
    if not isinstance(items, list) or not items:
        raise ValueError(
            f'{path} must hold a list of objects, with one at least'
        )
    found = []
    for place, item in enumerate(items):
        try:
            found.append(_parse(item, box_format))
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise ValueError(
                f'{path}, item {place}: {error!r}; each must be [file name, '
                f'class name, annotation id, {box_format} box, mask, ...]'
            ) from error
    return found


def _load(path: Path) -> Any:
    """Return the content of a json file or of a plain pickle."""
    if path.suffix in ('.pkl', '.pickle'):
        return load_plain(path)
    if path.suffix == '.json':
        try:
            return json.loads(path.read_text(encoding='utf-8'))
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{path} cannot be read: {error}') from error
    raise ValueError(f'{path}: name a .json or .pkl file')


def _parse(item: list, box_format: str) -> HardObject:
    """Return an item of the list, checked."""
    name, label, ann_id, numbers, mask = item[:5]
    box = np.asarray(numbers, float)
    # NaN is not below the limit either.
    if box.shape != (4,) or not (np.abs(box) < PIXEL_LIMIT).all():
        raise ValueError(f'{numbers} is no box')
    if box_format == 'xywh':
        box[2:] += box[:2]
    if (box[2:] <= box[:2]).any():
        raise ValueError(f'the box {numbers} is empty when read {box_format}')
    if not (isinstance(name, str) and isinstance(label, str)):
        raise ValueError(f'{name!r} and {label!r} must be names')
    if mask is not None:
        counts = mask['counts']
        counts = counts.decode() if isinstance(counts, bytes) else counts
        mask = dict(size=[int(side) for side in mask['size']], counts=counts)
    file_name = Path(name).name
    return HardObject(file_name, label, int(ann_id), tuple(box.tolist()), mask)
