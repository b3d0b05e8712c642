"""Images of good and defective things, one or many in each."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from mmocc.datasets.anomaly.boxes import (
    defect_boxes,
    find_defects,
    foreground,
    part_boxes,
    read_detections,
)
from mmocc.datasets.anomaly.layouts import (
    GOOD,
    LAYOUTS,
    AnomalyImage,
    spread_out,
)
from mmocc.datasets.transforms.anomaly_annotations import join_masks, read_mask
from mmocc.registry import DATASETS
from mmocc.utils.files import expand
from mmocc.utils.photos import photo_size, read_shown

SPLITS = ('train', 'validation', 'held_back', 'test')
BOXES = ('image', 'foreground', 'masks', 'detections', 'defects')


@DATASETS.register_module()
class AnomalyImages(BaseDetDataset):
    """Data for anomaly detection, with a box for each object.

    :mod:`mmocc.datasets.ornament_pages` tells how samples mark anomalies. An
    object is anomalous if a defect is on it; it keeps its class, which is its
    category. A defect on no object is an object outside the classes. A
    defective image whose mask is empty is defective all over, with a warning.

    Args:
        data_root: Folder of the data.
        layout: ``mvtec``, ``mvtec_loco``, ``btad``, ``visa``,
            ``magnetic_tile`` or ``folder``; ``docs/dea_data.md`` shows them.
        split: ``train`` or ``test``; MVTec LOCO has ``validation``, too.
            ``held_back``: see below.
        boxes: Where the boxes of the objects come from. ``image``: one object
            fills the image. ``foreground``: the things that Otsu's threshold
            finds on a plain background. ``masks``: the connected parts of
            your own masks. ``detections``: a detector's results. ``defects``:
            the connected defects are the objects, their kinds the classes;
            kinds that ``metainfo.classes`` does not name are anomalous.
        boxes_from: For ``masks`` their folder, with the images' paths below
            ``data_root``, ending in .png, not 0 = object. For ``detections``
            the file, see :func:`mmocc.datasets.anomaly.boxes.read_detections`.
        score_thr: Smallest score of a detection.
        min_area: Smallest share of the image's pixels that a part of
            foreground or mask must have to be an object.
        layout_args: Further arguments of the layout's reader.
        held_back: Share of each category's training images, evenly spread,
            that the split ``train`` leaves out and ``held_back`` gives: what
            is normal is told by images that nothing was learnt from.
        **kwargs: For mmdet's data sets; the classes of ``metainfo`` are the
            categories to read.

    Raises:
        FileNotFoundError: A file or folder is missing.
        ValueError: An argument or a file does not fit; names it.
    """

    METAINFO = dict(classes=None)

    def __init__(
        self,
        data_root: str,
        layout: str,
        split: str,
        boxes: str = 'image',
        boxes_from: str | None = None,
        score_thr: float = 0.3,
        min_area: float = 1e-3,
        layout_args: dict[str, Any] | None = None,
        held_back: float = 0.0,
        **kwargs: Any,
    ) -> None:
        choices = dict(layout=LAYOUTS, split=SPLITS, boxes=BOXES)
        for (name, known), value in zip(
            choices.items(), (layout, split, boxes), strict=True
        ):
            if value not in known:
                raise ValueError(
                    f'{name} is {value!r}; it must be one of '
                    f'{", ".join(known)}'
                )
        if (boxes in ('masks', 'detections')) != (boxes_from is not None):
            raise ValueError(
                f'boxes is {boxes!r} and boxes_from {boxes_from!r}; masks '
                'and detections need boxes_from, and nothing else does'
            )
        classes = (kwargs.get('metainfo') or {}).get('classes')
        if boxes == 'defects' and not classes:
            raise ValueError(
                "boxes is 'defects'; name the known kinds of defects in "
                'metainfo.classes: others are outside ones'
            )
        self.layout, self.split = layout, split
        self.boxes = boxes
        self.boxes_from = boxes_from and str(expand(boxes_from))
        self.score_thr, self.min_area = score_thr, min_area
        self.layout_args = layout_args or {}
        if not 0 <= held_back < 1 or (split == 'held_back') > (held_back > 0):
            raise ValueError(
                f'held_back is {held_back} and split {split!r}; held_back is '
                'at least 0 and below 1, and above 0 for the split held_back'
            )
        self.held_back = held_back
        root = str(expand(data_root))
        super().__init__(ann_file='', data_root=root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read images, masks and boxes, and from them the classes."""
        root, classes = Path(self.data_root), self._metainfo.get('classes')
        by_kind = self.boxes == 'defects'
        images = self._images(root, None if by_kind else classes)
        classes = classes or sorted({image.category for image in images})
        self._metainfo['classes'] = tuple(classes)
        locate = self._locator()
        infos = [
            dict(self._info(image, locate), img_id=number)
            for number, image in enumerate(images)
        ]
        flags = [i['anomaly'] for info in infos for i in info['instances']]
        empty = sum(not info['instances'] for info in infos)
        print_log(
            f'AnomalyImages: {len(infos)} images of {root} ({self.split}) '
            f'with {len(flags)} objects, {sum(flags)} of them anomalous; '
            f'{empty} images without an object',
            logger='current',
        )
        return infos

    def _images(
        self, root: Path, categories: Sequence[str] | None
    ) -> list[AnomalyImage]:
        """Return the images of the split, without what is held back."""
        held = self.split == 'held_back'
        images = LAYOUTS[self.layout](
            root,
            'train' if held else self.split,
            categories,
            **self.layout_args,
        )
        if self.split not in ('train', 'held_back') or not self.held_back:
            return images
        numbers: Counter[str] = Counter()
        kept = []
        for image in images:
            number = numbers[image.category]
            numbers[image.category] += 1
            if spread_out(number, self.held_back) == held:
                kept.append(image)
        if not kept:
            raise ValueError(
                f'{root}: held_back={self.held_back} of {len(images)} '
                f'training images leaves none for the split {self.split!r}'
            )
        return kept

    def filter_data(self) -> list[dict]:
        """Return all images: one without an object shows the background."""
        return self.data_list

    def _locator(self) -> Callable[[AnomalyImage, tuple], np.ndarray]:
        """Return a function that gives the boxes of an image of a size."""
        source: Any = self.boxes_from
        if self.boxes == 'detections':
            results = read_detections(source, self.score_thr)

        @cache
        def by_end(length: int) -> dict[str, np.ndarray]:
            ends = {}
            for path, boxes in results.items():
                end = '/'.join(Path(path).parts[-length:])
                if end in ends:
                    raise ValueError(f'{source}: several results for {end}')
                ends[end] = boxes
            return ends

        def locate(image: AnomalyImage, size: tuple) -> np.ndarray:
            if self.boxes == 'image':
                return np.array([[0, 0, *size[::-1]]], np.float32)
            least = max(1, round(self.min_area * size[0] * size[1]))
            name = image.path.relative_to(self.data_root)
            if self.boxes == 'foreground':
                photo = read_shown(image.path)
                if photo is None:
                    raise ValueError(f'{image.path}: unreadable image')
                return part_boxes(foreground(photo), least)
            if self.boxes == 'masks':
                file = Path(source, name.with_suffix('.png'))
                return part_boxes(read_mask(file, size), least)
            boxes = by_end(len(name.parts)).get(name.as_posix())
            if boxes is None:
                raise ValueError(
                    f'{self.boxes_from}: no result for {name}; run the '
                    f'detector on all images of the split {self.split!r}'
                )
            return boxes

        return locate

    def _info(self, image: AnomalyImage, locate: Callable) -> dict:
        """Return an image as the pipeline gets it."""
        size = photo_size(image.path)[::-1]
        mask = join_masks(image.masks, size) if image.masks else None
        paths = [str(path) for path in image.masks]
        unmarked = False
        if mask is not None and not mask.any():
            unmarked = True
            mask[:] = 1
            print_log(
                f'AnomalyImages: {", ".join(paths)} marks nothing, though its '
                f'image is among those with the defect {image.kind!r}: all '
                'of the image counts as defective',
                logger='current',
                level=logging.WARNING,
            )
        if self.boxes == 'defects':
            instances = self._defects(image.kind, mask)
        else:
            instances = self._objects(image, locate(image, size), mask)
        anomalous = any(item['anomaly'] for item in instances)
        use_boxes = unmarked or not anomalous  # as the map of anomalous pixels
        maps: Any = paths[0] if len(paths) == 1 else paths
        return dict(
            img_path=str(image.path),
            height=size[0],
            width=size[1],
            category=image.category,
            kind=image.kind,
            marked=image.kind == GOOD or bool(image.masks),
            seg_map_path=None if use_boxes else maps,
            instances=instances,
        )

    def _objects(
        self, image: AnomalyImage, boxes: np.ndarray, mask: np.ndarray | None
    ) -> list[dict]:
        """Return the instances of objects of a category."""
        label = self._metainfo['classes'].index(image.category)
        # Without a mask, which object is defective is not known: all count.
        bad = int(image.kind != GOOD and mask is None)
        defective: np.ndarray = np.full(len(boxes), bad)
        alone: Any = []
        if mask is not None:
            defective, alone = find_defects(boxes, mask)
        return [
            *map(_instance, boxes, [label] * len(boxes), defective.tolist()),
            *(_instance(box, -1, 1) for box in alone),
        ]

    def _defects(self, kind: str, mask: np.ndarray | None) -> list[dict]:
        """Return the instances of defects, which are the objects."""
        classes = self._metainfo['classes']
        label = classes.index(kind) if kind in classes else -1
        boxes: Any = [] if mask is None else defect_boxes(mask)
        return [_instance(box, label, int(label < 0)) for box in boxes]


def _instance(box: np.ndarray, label: int, anomaly: int) -> dict:
    """Return an instance; those outside the classes are ignored."""
    return dict(
        bbox=[float(value) for value in box],
        bbox_label=label,
        ignore_flag=int(label < 0),
        anomaly=anomaly,
    )
