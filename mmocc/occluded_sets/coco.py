"""The COCO layout: one JSON file for all images."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pycocotools import mask as coco_mask

from mmocc.datasets.coco_layout import (
    backslash_hint,
    locate_photo,
    photo_stem,
    read_coco,
)
from mmocc.datasets.coco_masks import are_finite, decode_segmentation
from mmocc.occluded_sets.sources import (
    SetItem,
    SetObject,
    Source,
)
from mmocc.utils.files import expand, note
from mmocc.utils.photos import HEADER_SIZE, agree
from mmocc.utils.readable import PIXEL_LIMIT

_SIDES = ('width', 'height')


@dataclass(frozen=True)
class COCOSource(Source):
    """The COCO JSON ``ann_file``, and the folder ``images`` of its file names.

    An object is its ``segmentation`` if it has one with a pixel in it, else
    its ``bbox``. Crowds (``iscrowd``) are not occluded.
    """

    ann_file: Path
    images: Path
    layout: ClassVar[str] = 'coco'
    image_dir: ClassVar[str] = 'images'

    @property
    def title(self) -> str:
        """The JSON file's name."""
        return self.ann_file.stem

    def items(self) -> list[SetItem]:
        """Return the images of the JSON file; see the base class."""
        document = read_coco(self.ann_file)
        labels = {c['id']: c['name'] for c in document['categories']}
        ids = {image['id'] for image in document['images']}
        of_image = defaultdict(list)
        for entry in document['annotations']:
            if entry['image_id'] not in ids:
                raise ValueError(
                    f'{self.ann_file}: annotation {entry["id"]} is for image '
                    f'{entry["image_id"]}, which is not in the file'
                )
            number = entry['category_id']
            label = labels.get(number, str(number))
            keys = ('id', 'bbox', 'segmentation', 'iscrowd')
            values = {key: entry[key] for key in keys if key in entry}
            of_image[entry['image_id']].append(dict(values, label=label))
        return [
            SetItem(
                photo_stem(image['file_name'], self.ann_file),
                str(locate_photo(expand(self.images), image['file_name'])),
                hint=backslash_hint(image['file_name']),
                detail=dict(
                    size=[image.get('height'), image.get('width')],
                    annotations=of_image[image['id']],
                ),
            )
            for image in document['images']
        ]

    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the annotations of an image; see the base class."""
        where, notes = str(self.ann_file), item.detail['annotations']
        check_stated(item.path, item.detail['size'], size, where, notes)
        return [
            _read_object(entry, size, f'{where}, annotation {entry["id"]}')
            for entry in notes
        ]

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the source's JSON, reduced to the images of the records.

        Annotations get ``hidden_share`` and ``in_level``.
        """
        document = read_coco(self.ann_file)
        shares, sizes = {}, {}
        for record in records:
            sizes[record['name']] = dict(
                zip(_SIDES, record['size'], strict=True)
            )
            cell = record['cells'][name]
            for target, share, status in zip(
                record['objects'], cell['shares'], cell['status'], strict=True
            ):
                shares[target['id']] = dict(
                    hidden_share=share, in_level=status == 'inside'
                )
        stems = [
            photo_stem(image['file_name'], self.ann_file)
            for image in document['images']
        ]
        document = dict(
            document,
            images=[
                {**image, **sizes[stem], 'file_name': stem + suffix}
                for image, stem in zip(document['images'], stems, strict=True)
                if stem in sizes
            ],
            annotations=[
                dict(entry, **shares[str(entry['id'])])
                for entry in document['annotations']
                if str(entry['id']) in shares
            ],
        )
        data = json.dumps(document).encode()
        return {f'annotations/{self.ann_file.stem}.json': data}


def check_stated(
    path: str | Path,
    stated: Sequence[int | None],
    size: tuple[int, int],
    ann_file: str,
    notes: Iterable[dict],
) -> None:
    """Raise ValueError if a COCO file states another (h, w) than a photo has.

    ``size`` is the photo's as shown, ``notes`` are its annotations. A line of
    the log tells if the file states the size before the EXIF orientation.
    """
    if None in stated or tuple(stated) == size:
        return
    boxes = [box for item in notes for box in _extents(item)]
    _, by_header = agree(path, stated[::-1], ann_file, boxes)
    if by_header:
        note(f'{ann_file}: {HEADER_SIZE} ({path})')


def _extents(item: dict) -> Iterator[list[float]]:
    """Yield xyxy boxes of what an annotation has; damaged parts have none."""
    box, parts = item.get('bbox'), item.get('segmentation')
    if isinstance(box, list) and len(box) == 4 and are_finite(box):
        yield [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    size = parts.get('size') if isinstance(parts, dict) else None
    if isinstance(size, list) and len(size) == 2 and are_finite(size):
        yield [0, 0, *size[::-1]]
    for polygon in parts if isinstance(parts, list) else []:
        if isinstance(polygon, list) and polygon and are_finite(polygon):
            x, y = polygon[::2], polygon[1::2] or polygon
            yield [min(x), min(y), max(x), max(y)]


def _read_object(entry: dict, size: tuple[int, int], where: str) -> SetObject:
    """Return one annotation, checked."""
    parts = entry.get('segmentation')
    mask = decode_segmentation(parts, size, where)
    if mask is not None and not mask.any():
        mask = None
    box = entry.get('bbox')
    if box is None and mask is None:
        raise ValueError(f'{where}: has neither a box nor a mask')
    if box is None:
        box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
        box = box.tolist()
    fine = isinstance(box, list) and len(box) == 4 and are_finite(box)
    if not fine or min(box[2:]) < 0 or max(map(abs, box)) > PIXEL_LIMIT:
        raise ValueError(f'{where}: bbox {box} is not x, y, width, height')
    x, y, w, h = box
    outside = x >= size[1] or y >= size[0] or x + w <= 0 or y + h <= 0
    if mask is None and outside:
        raise ValueError(
            f'{where}: bbox {box} (xywh) lies wholly outside its image of '
            f'{size[1]} x {size[0]} pixels'
        )
    return SetObject(
        str(entry['id']),
        entry['label'],
        (x, y, x + w, y + h),
        mask,
        bool(entry.get('iscrowd')),
        empty_mask=bool(parts) and mask is None,
    )
