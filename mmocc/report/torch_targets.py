"""What a torch data set gives for an image: its class, and its object.

Accepted are (image, label), (image, label, target) and (image, target), where
a target is a dict as torchvision's detectors take it: ``boxes`` (N, 4), xyxy
in pixels, and ``masks`` (N, H, W), whose union is the object; or a list of
COCO annotations, dicts with ``bbox`` and ``segmentation``, which also may be
``annotations`` of the dict. Without a label beside it, a dict has ``label``,
or ``labels`` that are all the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmocc.datasets.channel_order import to_array


def read_item(item: Any, where: str) -> dict[str, Any]:
    """Return what a data set gives for one image.

    Args:
        item: (image, label), (image, label, target) or (image, target).
        where: Names the item in messages.

    Returns:
        ``img`` and ``label`` as they are given; and what the target has of
        ``gt_bboxes``, (N, 4) float32 xyxy, and ``gt_seg_map``, (H, W) uint8,
        1 on the object.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise ValueError(
            f'{where} must be (image, label), got {type(item).__name__}'
        )
    image, label = item[:2]
    target = item[2] if len(item) > 2 else None
    if isinstance(label, Mapping):
        label, target = _single_label(label, where), label
    elif _are_annotations(label) and label:
        raise ValueError(
            f'{where} is (image, COCO annotations), without a class of the '
            'image; give (image, label, annotations)'
        )
    sample = dict(img=image, label=label)
    if isinstance(target, Mapping):
        if target.get('annotations') is None:
            return sample | _of_target(target, where)
        target = target['annotations']
        if not _are_annotations(target):
            raise ValueError(f'{where}: annotations must be a list of dicts')
    if target is not None and _are_annotations(target):
        return sample | _of_annotations(target, image, where)
    return sample


def _are_annotations(value: Any) -> bool:
    """Return whether a value is a list of dicts."""
    return isinstance(value, list) and all(
        isinstance(part, Mapping) for part in value
    )


def _single_label(target: Mapping, where: str) -> Any:
    """Return the one class of a target."""
    if 'label' in target:
        return target['label']
    if 'labels' not in target:
        raise ValueError(
            f'{where}: its target has {sorted(map(str, target))}, but no '
            'label; give (image, dict(label=..., boxes=...))'
        )
    labels = np.unique(np.asarray(target['labels'])).tolist()
    if len(labels) != 1:
        raise ValueError(
            f'{where}: its objects have the labels {labels}, but a classifier '
            'gives one; name it: (image, dict(label=..., boxes=...))'
        )
    return labels[0]


def _of_target(target: Mapping, where: str) -> dict[str, Any]:
    """Return the object of a target of torchvision's detectors."""
    sample: dict[str, np.ndarray] = {}
    if target.get('boxes') is not None:
        sample['gt_bboxes'] = _xyxy(target['boxes'], where)
    if target.get('masks') is not None:
        masks = np.asarray(target['masks'])
        if masks.ndim not in (2, 3):
            raise ValueError(
                f'{where}: masks must be (N, H, W), got {masks.shape}'
            )
        planes = masks.reshape(-1, *masks.shape[-2:]) > 0
        sample['gt_seg_map'] = _union(planes)
    return sample


def _union(planes: np.ndarray) -> np.ndarray:
    """Return where any of (N, H, W) masks is set, (H, W) uint8."""
    return np.asarray(planes.any(axis=0), np.uint8)


def _xyxy(boxes: Any, where: str) -> np.ndarray:
    """Return boxes as (N, 4) float32, whatever format tv_tensors name."""
    form = getattr(getattr(boxes, 'format', None), 'name', 'XYXY')
    array = np.asarray(boxes, np.float32)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f'{where}: boxes must be (N, 4), got {array.shape}')
    if form == 'XYXY':
        return array
    if form not in ('XYWH', 'CXCYWH'):
        raise ValueError(f'{where}: boxes must be XYXY, got {form}')
    corner, size = np.split(array, 2, axis=1)
    if form == 'CXCYWH':
        corner = corner - np.float32(0.5) * size
    return np.concatenate([corner, corner + size], axis=1)


def _of_annotations(
    annotations: Sequence[Mapping], image: Any, where: str
) -> dict[str, Any]:
    """Return the object of an image's COCO annotations.

    It is their masks if all have one, else their boxes.
    """
    if missing := [a for a in annotations if 'bbox' not in a]:
        raise ValueError(
            f'{where}: an annotation has no bbox, only {sorted(missing[0])}'
        )
    boxes = [annotation['bbox'] for annotation in annotations]
    array = np.asarray(boxes, np.float32).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    sample: dict[str, np.ndarray] = dict(gt_bboxes=array)
    masks = [_mask(annotation, image, where) for annotation in annotations]
    if masks and all(mask is not None for mask in masks):
        planes = np.stack([mask for mask in masks if mask is not None])
        sample['gt_seg_map'] = _union(planes)
    return sample


def _mask(annotation: Mapping, image: Any, where: str) -> np.ndarray | None:
    """Return the (H, W) mask of a COCO annotation, None without one."""
    if not annotation.get('segmentation'):
        return None
    from mmocc.datasets.coco_masks import decode_segmentation

    if isinstance(image, Image.Image):
        size = image.size[::-1]
    elif (picture := to_array(image)) is not None:
        size = picture.shape[:2]
    else:
        raise ValueError(f'{where}: {type(image).__name__} is no image')
    return decode_segmentation(annotation['segmentation'], size, where)
