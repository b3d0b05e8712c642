"""The objects of a sample: their pixels, and how some are left out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmocc.occlusion.regions import Region, box_region, mask_region
from mmocc.transforms.pictures import like_tensor, plain

REGIONS = ('auto', 'mask', 'box', 'image')
BOX_FORMATS = ('xyxy', 'xywh', 'cxcywh', 'xyxy01', 'cxcywh01')
# What a sample says of each of its objects, by the usual names.
FIELDS = (
    'boxes',
    'bboxes',
    'masks',
    'labels',
    'area',
    'iscrowd',
    'keypoints',
    'scores',
    'class_labels',
    'category_ids',
)


class Objects(NamedTuple):
    """The objects of a sample that are to be hidden in part."""

    regions: list[Region]
    ignored: list[bool]  # crowds, which are not hidden on purpose
    one_by_one: bool  # whether boxes, masks and labels belong to them


def array_of(value: Any) -> NDArray[Any]:
    """Return an array or tensor as an array."""
    return plain(value).numpy() if isinstance(value, Tensor) else value


def find_objects(
    fields: Mapping[str, Any],
    size: tuple[int, int],
    region: str = 'auto',
    box_format: str = 'xyxy',
) -> Objects | None:
    """Return the objects of a sample, None if the image is the object.

    Each of ``masks`` (n, H, W) is an object, else each of ``boxes`` or
    ``bboxes``; else all of ``mask`` (H, W) is one: what is not 0, nor 255
    beside other labels. A mask without a pixel gives way to its box.

    Args:
        fields: The sample, or its target.
        size: (h, w) of the image.
        region: ``mask``, ``box``, ``image``, or ``auto`` for the first there.
        box_format: That of boxes which do not state their own.

    Raises:
        ValueError: If what ``region`` asks for is not there, or a mask or box
            does not fit the image.
    """
    boxes = fields.get('boxes', fields.get('bboxes'))
    masks, mask = fields.get('masks'), fields.get('mask')
    if masks is not None and getattr(masks, 'ndim', 3) == 2:
        masks, mask = None, masks
    if region in ('mask', 'image'):
        boxes = None
    if region in ('box', 'image'):
        masks = mask = None
    if masks is None and boxes is None and mask is None:
        if region in ('mask', 'box'):
            raise ValueError(
                f'region={region!r}, but the sample has no such key; it has '
                f'{sorted(map(str, fields))}'
            )
        return None
    if masks is None and boxes is None:
        return Objects([_labelled(array_of(mask), size)], [False], False)
    regions = _regions(boxes, masks, size, box_format)
    crowds = fields.get('iscrowd')
    flags = [False] * len(regions) if crowds is None else list(crowds)
    return Objects(regions, [bool(flag) for flag in flags], True)


def _regions(
    boxes: Any, masks: Any, size: tuple[int, int], box_format: str
) -> list[Region]:
    """Return the pixels of objects that have boxes, masks, or both."""
    spare: list[Region] = []
    if boxes is not None:
        corners = xyxy(boxes, size, box_format)
        spare = [box_region(box, size) for box in corners]
    if masks is None:
        return spare
    if boxes is not None and len(spare) != len(masks):
        raise ValueError(
            f'{len(masks)} masks do not belong to {len(spare)} boxes'
        )
    regions = [mask_region(_fitting(array_of(m), size)) for m in masks]
    return [
        region if region.mask.numel() or not spare else spare[index]
        for index, region in enumerate(regions)
    ]


def _fitting(mask: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return a mask as (H, W); ValueError if it does not fit the image."""
    mask = np.asarray(mask)
    if mask.ndim == 3 and 1 in (mask.shape[0], mask.shape[2]):
        mask = mask.squeeze(0 if mask.shape[0] == 1 else 2)
    if mask.shape != size:
        raise ValueError(
            f'a mask of {mask.shape} does not fit the image of {size}'
        )
    return mask


def _labelled(mask: NDArray[Any], size: tuple[int, int]) -> Region:
    """Return what a mask of labels shows: not 0, nor 255 beside others."""
    mask = _fitting(mask, size)
    shown = (mask != 0) & (mask != 255)
    return mask_region(shown if shown.any() else mask)


def xyxy(boxes: Any, size: tuple[int, int], box_format: str) -> NDArray[Any]:
    """Return (n, 4) boxes as xyxy in pixels, float64.

    Columns after the fourth, such as labels, are passed over.

    Raises:
        ValueError: If boxes are rotated, inverted, not finite, or made for
            another size of the image.
    """
    stated = getattr(boxes, 'format', None)
    if stated is not None:
        box_format = str(getattr(stated, 'value', stated)).lower()
        if tuple(boxes.canvas_size) != tuple(size):
            raise ValueError(
                f'the boxes are for an image of {tuple(boxes.canvas_size)}, '
                f'this one is {tuple(size)} (h, w)'
            )
    if box_format not in BOX_FORMATS:
        raise ValueError(
            f'boxes of format {box_format!r} are not known; convert them to '
            f'one of {list(BOX_FORMATS)}'
        )
    rows = [list(row)[:4] for row in array_of(boxes)]
    array = np.array(rows, np.float64).reshape(-1, 4)
    if box_format.endswith('01'):
        array = array * np.tile(size[::-1], 2)
    first, second = array[:, :2], array[:, 2:]
    if box_format.startswith('cx'):
        first = first - second / 2
    if not box_format.startswith('xyxy'):
        second = first + second
    for box, bad in zip(array.tolist(), second < first, strict=True):
        if bad.any():
            raise ValueError(
                f'the box {box} is inverted; if boxes are not {box_format}, '
                f'set box_format to one of {list(BOX_FORMATS)}'
            )
    return np.concatenate([first, second], axis=1)


def keep_objects(
    fields: dict[str, Any], keep: Sequence[bool], more: Sequence[str] = ()
) -> None:
    """Leave objects out of all that a sample says of each, in place.

    ``more`` are further names of such values, beside :data:`FIELDS`.

    Raises:
        ValueError: If one of them has another number of objects.
        KeyError: If one of ``more`` is not there.
    """
    for name in more:
        if name not in fields:
            raise KeyError(f'object_fields has {name!r}, the sample has not')
    index = [place for place, kept in enumerate(keep) if kept]
    for name in (*FIELDS, *more):
        value = fields.get(name)
        if value is None:
            continue
        number = len(value) if getattr(value, 'ndim', 1) else 0
        if number != len(keep):
            raise ValueError(
                f'{name!r} has {number} entries for {len(keep)} objects'
            )
        if isinstance(value, Tensor):
            kept = value.as_subclass(Tensor)[index]
            fields[name] = like_tensor(kept, value)
        elif isinstance(value, np.ndarray):
            fields[name] = value[index]
        else:
            fields[name] = type(value)(value[place] for place in index)
