"""Loads and packs which objects and pixels of an image are anomalous."""

from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs
from PIL import Image

from mmocc.registry import TRANSFORMS
from mmocc.utils.readable import PICTURE_ERRORS


@TRANSFORMS.register_module()
class LoadAnomalyAnnotations(LoadAnnotations):
    """Load boxes, labels, and what is anomalous.

    For the test pipelines of :class:`mmocc.OrnamentPages` and
    :class:`mmocc.AnomalyImages`, after ``Resize``, so that all is in pixels of
    the original image. Steps that drop boxes must not follow: they know
    nothing of ``gt_anomaly``.

    Required Keys:

    - instances (``bbox``, ``bbox_label``, ``ignore_flag``, ``anomaly``)
    - seg_map_path (the defect mask, see :func:`read_mask`; None for none: then
      the boxes of anomalous objects are the anomalous pixels)
    - ori_shape, or height and width

    Added Keys:

    - gt_bboxes, gt_bboxes_labels, gt_ignore_flags, as mmdet's
    - gt_anomaly (np.int64, (n,), 0 or 1)
    - gt_seg_map (np.uint8, (h, w), 1 = anomalous; with ``with_map``)

    Args:
        with_map: Whether to load the map of anomalous pixels.
        **kwargs: For :class:`mmdet.LoadAnnotations`.
    """

    def __init__(self, with_map: bool = True, **kwargs: Any) -> None:
        super().__init__(with_seg=with_map, **kwargs)

    def transform(self, results: dict) -> dict:
        """Load them.

        Raises:
            KeyError: The data set does not tell what is anomalous.
            ValueError: The mask does not fit the image; names the file.
        """
        results = super().transform(results)
        try:
            anomaly = [item['anomaly'] for item in results['instances']]
        except KeyError as error:
            raise KeyError(
                f'{results.get("img_path")}: its instances have no {error}; '
                'use mmocc.OrnamentPages or mmocc.AnomalyImages, or mmdet.'
                'LoadAnnotations where nothing is anomalous'
            ) from error
        results['gt_anomaly'] = np.array(anomaly, np.int64)
        return results

    def _load_seg_map(self, results: dict) -> None:
        """Load the map of anomalous pixels, or draw it from the boxes."""
        size = results.get('ori_shape')
        size = tuple(size or (results['height'], results['width']))[:2]
        path = results.get('seg_map_path')
        if path is None:
            results['gt_seg_map'] = draw_boxes(results['instances'], size)
            return
        mask = read_mask(path)
        if mask.shape != size:
            raise ValueError(
                f'{path}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, '
                f'but its image is {size[1]}x{size[0]}; give them one size'
            )
        results['gt_seg_map'] = mask


@TRANSFORMS.register_module()
class PackAnomalyInputs(PackDetInputs):
    """Pack as mmdet does, and ``anomaly`` with the instances.

    ``gt_instances.anomaly`` and ``ignored_instances.anomaly`` are int64, 0 or
    1; ``gt_sem_seg.sem_seg`` is the map of anomalous pixels. See
    :mod:`mmocc.datasets.ornament_pages`.

    Required Keys: as :class:`mmdet.PackDetInputs`, and

    - gt_anomaly

    Args:
        meta_keys: As for :class:`mmdet.PackDetInputs`.
    """

    mapping_table = dict(PackDetInputs.mapping_table, gt_anomaly='anomaly')

    def transform(self, results: dict) -> dict:
        """Pack an image.

        Raises:
            ValueError: A step before dropped boxes, but not their
                ``gt_anomaly``.
        """
        anomaly = results.get('gt_anomaly')
        if anomaly is None or len(anomaly) != len(results['gt_bboxes']):
            told = 'no' if anomaly is None else len(anomaly)
            raise ValueError(
                f'{results.get("img_path")}: {told} gt_anomaly for '
                f'{len(results["gt_bboxes"])} boxes; load with '
                'mmocc.LoadAnomalyAnnotations, and let no step that drops '
                'boxes follow'
            )
        return super().transform(results)


def read_mask(path: str) -> np.ndarray:
    """Return a mask as (h, w) uint8, 0 or 1.

    A mask of labels, all below 128, is 1 where it is not 0; one of shades is 1
    from 128 on. Palette images count by their indices, colours by the greatest
    channel; transparency does not count.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The image is damaged; names the file.
    """
    try:
        with Image.open(path) as image:
            bands = [b for b in image.getbands() if b != 'A']
            mask = np.asarray(image)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{path}: no such mask; complete the data set'
        ) from error
    except PICTURE_ERRORS as error:
        raise ValueError(f'{path}: unreadable mask ({error})') from error
    if mask.ndim == 3:
        mask = mask[..., : len(bands)].max(axis=2)
    # Labels begin at 1; shades are soft at the borders of what is marked.
    least = 128 if mask.max(initial=0) >= 128 else 1
    return (mask >= least).astype(np.uint8)


def draw_boxes(instances: list[dict], size: tuple[int, int]) -> np.ndarray:
    """Return (h, w) uint8, 1 within the boxes of anomalous instances."""
    drawn = np.zeros(size, np.uint8)
    for item in instances:
        if item.get('anomaly'):
            x1, y1, x2, y2 = np.maximum(item['bbox'], 0)
            rows = slice(int(y1), int(np.ceil(y2)))
            drawn[rows, int(x1) : int(np.ceil(x2))] = 1
    return drawn
