"""The annotated objects of a detection sample, as regions of its image."""

from typing import Any

import numpy as np

from mmocc.occlusion.regions import Region, box_region, mask_region


def instance_regions(
    results: dict, source: str = 'auto'
) -> tuple[list[Region], list[bool]]:
    """Return the pixels of each annotated object, and which are to be ignored.

    Annotations that a transform has loaded (``gt_bboxes``, ``gt_masks``,
    ``gt_ignore_flags``) fit the image as it is now and come first; else those
    of the data set (``instances``), which fit the image as it is on disk.

    Args:
        results: A pipeline's dict, with ``img``.
        source: ``mask``, ``box``, or ``auto``: the mask if the object has one
            with a pixel in it, else the box.

    Raises:
        ValueError: If there are no annotations, or no masks where they are
            asked for; or if a mask or box does not fit the image.
    """
    size = results['img'].shape[:2]
    if results.get('gt_bboxes') is not None:
        boxes, masks, ignored = _loaded(results)
    elif results.get('instances') is not None:
        boxes, masks, ignored = _of_data_set(results['instances'])
    else:
        raise ValueError(
            'the sample has neither gt_bboxes nor instances, so there is no '
            'object to occlude: does the data set have annotations, and is '
            'mmocc.OccludeObjects behind the loading of the image?'
        )
    regions = []
    for box, mask in zip(boxes, masks, strict=True):
        region = None
        if source != 'box' and mask is not None:
            region = mask_region(_decode(mask, size))
        if source == 'mask' and region is None:
            raise ValueError("region='mask' but an object has no mask")
        if region is None or (source == 'auto' and not region.mask.numel()):
            region = box_region(box, size)
        regions.append(region)
    return regions, ignored


def _loaded(results: dict) -> tuple[list, list, list[bool]]:
    """Return boxes, masks and ignore flags that a transform has loaded."""
    boxes = results['gt_bboxes']
    boxes = np.asarray(getattr(boxes, 'tensor', boxes), np.float64)
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(
            f'gt_bboxes is {boxes.shape}; mmocc.OccludeObjects knows (n, 4) '
            'xyxy boxes only'
        )
    boxes = list(boxes.reshape(-1, 4))
    masks = results.get('gt_masks')
    masks = [None] * len(boxes) if masks is None else list(map(_one, masks))
    flags = results.get('gt_ignore_flags')
    flags = [False] * len(boxes) if flags is None else flags
    return boxes, masks, [bool(flag) for flag in flags]


def _one(mask: Any) -> Any:
    """Return one item of mmdet's masks: an array, or its polygons."""
    if isinstance(mask, np.ndarray):
        return mask
    return [np.asarray(polygon).ravel().tolist() for polygon in mask]


def _of_data_set(instances: list[dict]) -> tuple[list, list, list[bool]]:
    """Return boxes, masks and ignore flags of a data set's annotations."""
    boxes = [item['bbox'] for item in instances]
    masks = [item.get('mask') for item in instances]
    return boxes, masks, [bool(i.get('ignore_flag')) for i in instances]


def _decode(mask: Any, size: tuple[int, int]) -> np.ndarray:
    """Return polygons, run lengths or a bitmap as an (H, W) uint8 mask."""
    if isinstance(mask, np.ndarray):
        bitmap = mask
    else:
        # It needs pycocotools, which comes with mmdet.
        from mmocc.datasets.coco_masks import decode_segmentation

        if isinstance(mask, list):
            mask = [p for p in mask if len(p) >= 6 and len(p) % 2 == 0]
        bitmap = decode_segmentation(mask, size, 'an object of the sample')
        if bitmap is None:  # mmdet takes such an annotation for none, too
            return np.zeros(size, np.uint8)
    if bitmap.shape != size:
        raise ValueError(
            f'a mask of {bitmap.shape} does not fit the image of {size}'
        )
    return bitmap
