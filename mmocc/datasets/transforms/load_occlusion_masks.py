"""Loads object and occluder masks of the occluded PASCAL3D+ sets."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmocc.datasets.occlusion_masks import (
    read_object_mask,
    read_occluder_mask,
    read_vehicle_masks,
    resize_mask,
)
from mmocc.datasets.transforms.crop_object import crop_array
from mmocc.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadOcclusionMasks(BaseTransform):
    """Load the object mask and the occluder mask of a sample.

    For :class:`OccludedVehicles` (with ``with_masks=True``) and
    :class:`OccludedPASCAL3D`. It comes after ``CropObject`` and ``Resize``
    (masks get the size that ``img`` has there), and before flips and random
    crops.

    Required Keys: img; object_mask_path and occluder_mask_path, or
    annotation_path, photo_shape and crop_box.

    Added Keys: occlusion_mask (uint8 (h, w), 1 = hidden, on the object or
    beside it); with an object mask also gt_seg_map (uint8 (h, w), 1 on the
    object, also where it is hidden) and occlusion_share (hidden share of the
    object).

    Raises:
        ValueError: The sample has no masks, one is unreadable or does not
            fit, or the image is flipped already.
    """

    def transform(self, results: dict) -> dict:
        """Load both masks at the size of ``results['img']``."""
        name = results.get('img_path', 'the image')
        if results.get('flip'):
            raise ValueError(
                f'{name}: flipped already; put mmocc.LoadOcclusionMasks '
                'before RandomFlip'
            )
        item, occluder = self._read(results, name)
        size = results['img'].shape[:2]
        results['occlusion_mask'] = resize_mask(occluder, size)
        if item is None:
            return results
        results['gt_seg_map'] = resize_mask(item, size)
        hidden = results['occlusion_mask'][results['gt_seg_map'] == 1]
        if not hidden.size:
            raise ValueError(
                f'{name}: its object mask is empty; correct it, or remove the '
                'image from the list'
            )
        results['occlusion_share'] = float(hidden.mean())
        return results

    def _read(
        self, results: dict, name: str
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Return object mask (or None) and occluder mask."""
        if 'object_mask_path' in results:
            return read_vehicle_masks(
                results['object_mask_path'],
                results['occluder_mask_path'],
                results['img'].shape[:2],
            )
        if 'annotation_path' not in results:
            raise ValueError(
                f'{name}: the sample names no masks; mmocc.OccludedVehicles '
                'does with with_masks=True, and mmocc.OccludedPASCAL3D does'
            )
        path, size = results['annotation_path'], results['photo_shape']
        box, item = results['crop_box'], read_object_mask(path, size)
        occluder = crop_array(read_occluder_mask(path, size), box, path)
        return None if item is None else crop_array(item, box, path), occluder

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
