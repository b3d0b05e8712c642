"""The COCO layout: one JSON file for all images."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
from pycocotools import mask as coco_mask

from mmocc.datasets.coco_masks import are_finite, decode_segmentation
from mmocc.occluded_sets.sources import (
    SetItem,
    SetObject,
    Source,
    check_size,
)
from mmocc.utils.readable import PIXEL_LIMIT

_ID = int | float | str


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
        if len(ids) != len(document['images']):
            raise ValueError(f'{self.ann_file}: two images have the same id')
        of_image = defaultdict(list)
        for note in document['annotations']:
            if note['image_id'] not in ids:
                raise ValueError(
                    f'{self.ann_file}: annotation {note["id"]} is for image '
                    f'{note["image_id"]}, which is not in the file'
                )
            label = labels.get(note['category_id'], str(note['category_id']))
            keys = ('id', 'bbox', 'segmentation', 'iscrowd')
            values = {key: note[key] for key in keys if key in note}
            of_image[note['image_id']].append(dict(values, label=label))
        return [
            SetItem(
                _stem(image['file_name'], self.ann_file),
                str(self.images / image['file_name']),
                detail=dict(
                    size=[image.get('height'), image.get('width')],
                    annotations=of_image[image['id']],
                ),
            )
            for image in document['images']
        ]

    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the annotations of an image; see the base class."""
        where = str(self.ann_file)
        check_size(item.path, item.detail['size'], size, where)
        return [
            _read_object(note, size, f'{where}, annotation {note["id"]}')
            for note in item.detail['annotations']
        ]

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the source's JSON, reduced to the images of the records.

        Annotations get ``hidden_share`` and ``in_level``.
        """
        document = read_coco(self.ann_file)
        shares, names = {}, set()
        for record in records:
            names.add(record['name'])
            cell = record['cells'][name]
            for target, share, status in zip(
                record['objects'], cell['shares'], cell['status'], strict=True
            ):
                shares[target['id']] = dict(
                    hidden_share=share, in_level=status == 'inside'
                )
        stems = [
            _stem(image['file_name'], self.ann_file)
            for image in document['images']
        ]
        document = dict(
            document,
            images=[
                dict(image, file_name=stem + suffix)
                for image, stem in zip(document['images'], stems, strict=True)
                if stem in names
            ],
            annotations=[
                dict(note, **shares[str(note['id'])])
                for note in document['annotations']
                if str(note['id']) in shares
            ],
        )
        data = json.dumps(document).encode()
        return {f'annotations/{self.ann_file.stem}.json': data}


def read_coco(path: Path) -> dict:
    """Return a COCO document.

    FileNotFoundError without the file; ValueError if it is not JSON or lacks
    parts, ids or names, or if two annotations share an id.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not a JSON file ({error})') from error
    required = dict(
        images=('id', 'file_name'),
        annotations=('id', 'image_id', 'category_id'),
        categories=('id', 'name'),
    )
    for part, keys in required.items():
        rows = document.get(part) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f'{path}: not a COCO file, it has no {part!r}')
        for row in rows:
            values = row if isinstance(row, dict) else {}
            lacking = [k for k in keys if not isinstance(values.get(k), _ID)]
            if lacking:
                raise ValueError(
                    f'{path}: an entry of {part!r} has no {lacking[0]!r}, a '
                    f'number or a text: {str(row)[:200]}'
                )
            if not isinstance(values.get('file_name', ''), str):
                raise ValueError(
                    f'{path}: the file_name {values["file_name"]} is not text'
                )
    ids = [str(note['id']) for note in document['annotations']]
    if len(set(ids)) != len(ids):
        raise ValueError(f'{path}: two annotations have the same id')
    return document


def _read_object(note: dict, size: tuple[int, int], where: str) -> SetObject:
    """Return one annotation, checked."""
    mask = decode_segmentation(note.get('segmentation'), size, where)
    if mask is not None and not mask.any():
        mask = None
    box = note.get('bbox')
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
        str(note['id']),
        note['label'],
        (x, y, x + w, y + h),
        mask,
        bool(note.get('iscrowd')),
    )


def _stem(file_name: str, ann_file: Path) -> str:
    """Return an image's name without ending; refuse one that leads away."""
    path = PurePosixPath(file_name)
    if path.is_absolute() or '..' in path.parts or not path.name:
        raise ValueError(
            f'{ann_file}: file_name {file_name!r} leads out of the image '
            'folder'
        )
    return str(path.with_suffix(''))
