"""Loads and packs which objects and pixels of an image are anomalous."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs

from mmocc.registry import TRANSFORMS
from mmocc.utils.photos import open_shown
from mmocc.utils.readable import PICTURE_ERRORS


@TRANSFORMS.register_module()
class LoadAnomalyAnnotations(LoadAnnotations):
    """Load boxes, labels, and what is anomalous.

    For the test pipelines of :class:`mmocc.OrnamentPages` and
    :class:`mmocc.AnomalyImages`, after ``Resize``, so that all is in pixels of
    the original image. No step after it may drop boxes.

    Required Keys:

    - instances (``bbox``, ``bbox_label``, ``ignore_flag``, ``anomaly``; an
      image without, as mmdet's DetInferencer gives it, has no objects)
    - seg_map_path (the defect mask or a list of them, see :func:`read_mask`;
      with None the boxes of anomalous objects are the anomalous pixels)
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
        """Load them; KeyError if the data set does not tell anomalies."""
        results = super().transform(results)
        try:
            anomaly = [item['anomaly'] for item in _instances(results)]
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
        results['gt_seg_map'] = (
            draw_boxes(_instances(results), size)
            if path is None
            else join_masks([path] if isinstance(path, str) else path, size)
        )


def _instances(results: dict) -> list[dict]:
    """Return the objects of an image; none where mmdet's DetInferencer asks.

    An image that comes without a data set has no ``instances``.
    """
    return results.get('instances', [])


@TRANSFORMS.register_module()
class PackAnomalyInputs(PackDetInputs):
    """Pack as mmdet does, and ``gt_anomaly`` with the instances.

    See :mod:`mmocc.datasets.ornament_pages` for what it packs.

    Args:
        meta_keys: As for :class:`mmdet.PackDetInputs`; by default with
            ``instances``, for ``mmocc.KnownClassCocoMetric``.
    """

    mapping_table = dict(PackDetInputs.mapping_table, gt_anomaly='anomaly')

    def __init__(self, meta_keys: Sequence[str] | None = None) -> None:
        super().__init__()
        if meta_keys is None:
            own = ('instances', 'category', 'kind', 'marked')
            meta_keys = (*self.meta_keys, *own)
        self.meta_keys: Sequence[str] = meta_keys

    def transform(self, results: dict) -> dict:
        """Pack; ValueError if a step dropped boxes, not ``gt_anomaly``."""
        anomaly = results.get('gt_anomaly')
        if anomaly is None or len(anomaly) != len(results['gt_bboxes']):
            number = 'no' if anomaly is None else len(anomaly)
            raise ValueError(
                f'{results.get("img_path")}: {number} gt_anomaly for '
                f'{len(results["gt_bboxes"])} boxes; load with '
                'mmocc.LoadAnomalyAnnotations, and use no step after it that '
                'drops boxes'
            )
        return super().transform(results)


def read_mask(
    path: str | Path, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Return a mask as (h, w) uint8, 0 or 1; check its size if one is given.

    A mask of labels, all below 128, is 1 where it is not 0; one of shades is 1
    from 128 on. Palette images count by their indices, colours by the greatest
    channel, without transparency. The errors name the file.
    """
    try:
        image = open_shown(path)
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
    if size is not None and mask.shape != size:
        raise ValueError(
            f'{path}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, but '
            f'its image is {size[1]}x{size[0]}; give both the same size'
        )
    # Labels begin at 1; shades are soft at the borders of what is marked.
    least = 128 if mask.max(initial=0) >= 128 else 1
    return (mask >= least).astype(np.uint8)


def join_masks(
    paths: Sequence[str | Path], size: tuple[int, int]
) -> np.ndarray:
    """Return what any of an image's masks marks; see :func:`read_mask`."""
    return np.maximum.reduce([read_mask(path, size) for path in paths])


def draw_boxes(instances: list[dict], size: tuple[int, int]) -> np.ndarray:
    """Return (h, w) uint8, 1 within the boxes of anomalous instances."""
    mask = np.zeros(size, np.uint8)
    for item in instances:
        if item.get('anomaly'):
            x1, y1, x2, y2 = np.maximum(item['bbox'], 0)
            rows = slice(int(y1), int(np.ceil(y2)))
            mask[rows, int(x1) : int(np.ceil(x2))] = 1
    return mask
