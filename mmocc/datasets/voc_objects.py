"""Object crops from the Pascal VOC layout, for classification.

A pixel value k in ``SegmentationObject`` is the k-th object of the XML file.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmocc.datasets.lists import class_names
from mmocc.datasets.voc_layout import (
    FLAGS,
    UNKNOWN,
    VOC_CLASSES,
    VOCObject,
    index_folder,
    missing_photo,
    parse_voc_xml,
    read_photos,
)
from mmocc.registry import DATASETS
from mmocc.utils.files import expand
from mmocc.utils.photos import HEADER_SIZE, agree

_Box = tuple[float, float, float, float]


def crop_window(
    box: _Box, size: tuple[int, int], context: float
) -> tuple[list[int], np.ndarray]:
    """Return the window to cut and the object's box inside that window.

    Args:
        box: Object box, xyxy in photo pixels.
        size: (w, h) of the photo.
        context: Share of the box's width (height) added on each side before
            the window is clipped to the photo.

    Returns:
        The window, integer xyxy in the photo, and the visible part of the box,
            float32 (1, 4), xyxy in the window; ValueError if no part is
            visible.
    """
    width, height = size
    x1, y1, x2, y2 = box
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise ValueError(
            f'the box {tuple(round(v, 2) for v in box)} (xyxy) lies wholly '
            f'outside its image of {width} x {height} pixels'
        )
    pad_x, pad_y = context * (x2 - x1), context * (y2 - y1)
    left = math.floor(max(0, x1 - pad_x))
    top = math.floor(max(0, y1 - pad_y))
    right = math.ceil(min(width, x2 + pad_x))
    bottom = math.ceil(min(height, y2 + pad_y))
    inner = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
    moved = np.subtract(inner, [left, top, left, top]).astype(np.float32)
    return [left, top, right, bottom], moved[None]


@DATASETS.register_module()
class VOCObjects(BaseDataset):
    """One sample per annotated object of a data set in the VOC layout.

    ``mmocc.CropObject`` after ``LoadImageFromFile`` cuts the object out of its
    photo. Every sample has ``img_path``, ``gt_label``, ``crop_box``
    (integer xyxy in the photo), ``gt_bboxes`` (float32 (1, 4), xyxy in the
    crop), ``seg_map_path`` (or None), ``instance_id`` (from 1), ``difficult``,
    ``truncated``, ``occluded`` (0, 1, or -1 where the file does not say),
    ``object_id`` (``'000001_2'``: second object of 000001), ``img_id`` and
    ``photo_shape`` ((h, w) as shown). The log counts what is left out or read
    in a special way.

    Args:
        data_root: Folder with the VOC layout, or several of them.
        split: Name of a list in ``ImageSets/Main``, or one name per root.
        context: As in :func:`crop_window`.
        difficult: None keeps all objects, True or False those with this flag.
        truncated: As ``difficult``.
        occluded: As ``difficult``. VOC2007 does not state this flag.
        min_size: Drop objects with a side shorter than this many pixels.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``classes``,
            ``pipeline``, ``test_mode`` and so on. Objects of classes that
            ``classes`` does not name are left out; without ``classes`` a
            class outside VOC's 20 is an error.

    Raises:
        FileNotFoundError: A folder, list, photo or annotation is missing.
        ValueError: A file is damaged or does not fit its photo; names it.
    """

    METAINFO = {'classes': VOC_CLASSES}

    def __init__(
        self,
        data_root: str | Sequence[str],
        split: str | Sequence[str],
        context: float = 0.1,
        difficult: bool | None = None,
        truncated: bool | None = None,
        occluded: bool | None = None,
        min_size: float = 1,
        **kwargs: Any,
    ) -> None:
        if context < 0:
            raise ValueError(f'context is {context}; it must be 0 or more')
        self.roots = _pair_roots(data_root, split)
        self.context = context
        wanted = difficult, truncated, occluded
        self.flags = dict(zip(FLAGS, wanted, strict=True))
        self.min_size = min_size
        kwargs['classes'] = class_names(kwargs.get('classes'))
        metainfo = kwargs.get('metainfo') or {}
        self.named = bool(kwargs.get('classes') or metainfo.get('classes'))
        self.counts: Counter[str] = Counter()
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read every object of every root, before any filter."""
        self.counts.clear()
        samples = []
        for root, split in self.roots:
            samples += self._load_root(root, split)
        present = {sample['gt_label'] for sample in samples}
        for label, name in enumerate(self.metainfo['classes']):
            if self.named and label not in present:
                self.counts[f'classes without an object ({name})'] += 1
        return samples

    def filter_data(self) -> list[dict]:
        """Apply the filters; log how many objects each of them dropped.

        ValueError if a filter needs a flag that a file lacks, or no object is
        left.
        """
        passed: list[dict] = []
        dropped: Counter[str] = Counter()
        for sample in self.data_list:
            reason = self._first_failure(sample)
            if reason is None:
                passed.append(sample)
            else:
                dropped[reason] += 1
        names = ', '.join(f'{root} ({split})' for root, split in self.roots)
        counts = ', '.join(f'{k}: {v}' for k, v in dropped.items()) or 'none'
        summary = (
            f'{len(passed)} of {len(self.data_list)} objects kept from '
            f'{names}; dropped by filter: {counts}'
        )
        if self.counts:
            special = (f'{v} {k}' for k, v in sorted(self.counts.items()))
            summary += f'; {", ".join(special)}'
        if not passed:
            raise ValueError(f'VOCObjects: no object is left. {summary}')
        print_log(f'VOCObjects: {summary}', logger='current')
        return passed

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        lines = [f'Root and split: \t{root} {s}' for root, s in self.roots]
        return [*lines, f'Context: \t{self.context}', f'Flags: \t{self.flags}']

    def _first_failure(self, sample: dict) -> str | None:
        """Return the first filter that drops this sample, or None."""
        for flag, wanted in self.flags.items():
            if wanted is None:
                continue
            if sample[flag] == UNKNOWN:
                raise ValueError(
                    f'{sample["object_id"]} of {sample["img_path"]}: its XML '
                    f'file does not state <{flag}>, so {flag}={wanted} cannot '
                    f'filter it; set {flag}=None or add the flag to the file'
                )
            if bool(sample[flag]) != wanted:
                return f'{flag}={wanted}'
        x1, y1, x2, y2 = sample['gt_bboxes'][0].tolist()
        if min(x2 - x1, y2 - y1) < self.min_size:
            return f'min_size={self.min_size}'
        return None

    def _load_root(self, root: Path, split: str) -> list[dict]:
        """Return the samples of all images that one split lists."""
        masks = index_folder(root / 'SegmentationObject', ('.png',))
        samples = []
        for img_id, path in read_photos(root, split).items():
            if path is None:
                raise missing_photo(root, split, img_id)
            xml = root / 'Annotations' / f'{img_id}.xml'
            annotation = parse_voc_xml(xml)
            boxes = [item.box for item in annotation.objects]
            size, by_header = agree(path, annotation.size, str(xml), boxes)
            self.counts.update(
                {
                    'images without an object': int(not boxes),
                    'flags Unspecified, read as 0': annotation.unspecified,
                    f'annotations: {HEADER_SIZE}': int(by_header),
                }
            )
            photo = {
                'img_path': path,
                'img_id': img_id,
                'seg_map_path': masks.get(img_id),
                'photo_shape': size[::-1],
            }
            samples += [
                {**photo, **self._describe(item, size, img_id, xml)}
                for item in self._chosen(annotation.objects)
            ]
        self.counts = +self.counts  # only what occurs
        return samples

    def _chosen(self, objects: list[VOCObject]) -> list[VOCObject]:
        """Return the objects of the classes; count others if they may be."""
        classes = self.metainfo['classes']
        others = [item.name for item in objects if item.name not in classes]
        if not self.named or not others:
            return objects
        self.counts.update(f'objects of another class ({n})' for n in others)
        return [item for item in objects if item.name in classes]

    def _describe(
        self, item: VOCObject, size: tuple[int, int], img_id: str, xml: Path
    ) -> dict:
        """Return what one object adds to its photo's fields."""
        where = f'{xml}, object {item.instance_id}'
        classes = self.metainfo['classes']
        if item.name not in classes:
            raise ValueError(
                f'{where}: unknown class {item.name!r}; give `classes` with '
                'those of your data that you want (objects of others are then '
                f'left out and counted); now {", ".join(classes)}'
            )
        try:
            window, box = crop_window(item.box, size, self.context)
        except ValueError as error:
            raise ValueError(
                f'{where}: {error}; correct the file or remove the object'
            ) from error
        return {
            'gt_label': classes.index(item.name),
            'crop_box': window,
            'gt_bboxes': box,
            'instance_id': item.instance_id,
            'object_id': f'{img_id}_{item.instance_id}',
            **{flag: getattr(item, flag) for flag in FLAGS},
        }


def _pair_roots(
    data_root: str | Sequence[str], split: str | Sequence[str]
) -> list[tuple[Path, str]]:
    """Return (root, split) pairs; a single split serves every root."""
    single = isinstance(data_root, str | Path)
    roots: list = [data_root] if single else list(data_root)
    splits = [split] * len(roots) if isinstance(split, str) else list(split)
    if not roots or len(roots) != len(splits):
        raise ValueError(
            f'{len(roots)} data_root ({roots}) and {len(splits)} split '
            f'({splits}); give one split, or one for each root'
        )
    pairs = zip(roots, splits, strict=True)
    return [(expand(root), name) for root, name in pairs]
