"""Cuts one object, and its mask, out of a photo (for ``VOCObjects``)."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmocc.registry import TRANSFORMS
from mmocc.utils.photos import open_shown
from mmocc.utils.readable import PICTURE_ERRORS

_BORDER = 255  # in VOC: outlines and objects that are left out


def crop_array(array: np.ndarray, box: Sequence[int], name: str) -> np.ndarray:
    """Return a contiguous copy of ``array`` (H, W, ...) inside ``box`` (xyxy).

    ValueError, which names ``name``, if the box does not fit.
    """
    x1, y1, x2, y2 = (int(value) for value in box)
    height, width = array.shape[:2]
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise ValueError(
            f'{name}: crop_box {[x1, y1, x2, y2]} (xyxy) does not fit the '
            f'image of {width} x {height} pixels; CropObject must come right '
            'after LoadImageFromFile, and the annotation must state the size '
            'that the file has'
        )
    return array[y1:y2, x1:x2].copy()


def read_index_mask(path: str) -> np.ndarray:
    """Return the palette or grey values of a mask file, uint8 (H, W).

    ValueError if it is unreadable or holds colours, not indices.
    """
    try:
        image = open_shown(path)
    except PICTURE_ERRORS as error:
        raise ValueError(
            f'{path}: unreadable instance mask ({error}); fetch it again'
        ) from error
    if image.mode not in ('P', 'L'):
        raise ValueError(
            f'{path}: an image of mode {image.mode}; an instance mask needs '
            'one index per pixel (a palette or 8-bit grey PNG)'
        )
    return np.array(image)


@TRANSFORMS.register_module()
class CropObject(BaseTransform):
    """Cut ``img`` to ``crop_box``, directly after ``LoadImageFromFile``.

    ``gt_bboxes`` of :class:`VOCObjects` are in pixels of the crop already.

    Required Keys: img, crop_box; with a mask also img_path, seg_map_path and
    instance_id. An image that comes from no data set, as mmpretrain's
    inferencer gives it, is the object itself and stays as it is.

    Modified Keys: img, img_shape, ori_shape ((h, w) of the crop).

    Added Keys: gt_seg_map (uint8 (h, w), 1 on this object's pixels), where the
    sample has a mask. The host's Resize and RandomFlip transform it, too.

    Args:
        with_mask: Load the object's mask where ``seg_map_path`` names one.
    """

    def __init__(self, with_mask: bool = False) -> None:
        self.with_mask = with_mask

    def transform(self, results: dict) -> dict:
        """Cut the image and, if wanted, the mask."""
        name = results.get('img_path', 'image')
        photo_shape = results['img'].shape[:2]
        if 'crop_box' not in results:
            if 'sample_idx' not in results:  # an inferencer's
                return results
            raise ValueError(
                f'{name}: its data set gives no crop_box; use '
                'mmocc.VOCObjects, or leave mmocc.CropObject out'
            )
        expected = results.get('photo_shape', photo_shape)
        if tuple(expected) != photo_shape:
            raise ValueError(
                f'{name}: loaded with (h, w) {photo_shape}, but it has '
                f'{tuple(expected)} as shown; CropObject must come right '
                'after LoadImageFromFile, with a color_type that applies the '
                "EXIF orientation, such as 'color'"
            )
        img = crop_array(results['img'], results['crop_box'], name)
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        if self.with_mask and results.get('seg_map_path'):
            results['gt_seg_map'] = self._load_mask(results, photo_shape)
        return results

    def _load_mask(
        self, results: dict, photo_shape: tuple[int, int]
    ) -> np.ndarray:
        """Return the object's own mask inside the crop."""
        path, number = results['seg_map_path'], results['instance_id']
        mask = read_index_mask(path)
        if mask.shape != photo_shape:
            raise ValueError(
                f'{path}: the mask has (h, w) {mask.shape}, its photo '
                f'{results.get("img_path")} has {photo_shape}; they must agree'
            )
        mask = crop_array(mask, results['crop_box'], path)
        if number == _BORDER or not (mask == number).any():
            raise ValueError(
                f'{path}: has no pixel of instance {number} inside crop_box '
                f'{list(results["crop_box"])}; values must count the objects '
                'of the XML file. VOC leaves difficult objects out of its '
                'masks: drop those (difficult=False) or set with_mask=False'
            )
        return (mask == number).astype(np.uint8)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(with_mask={self.with_mask})'
