"""The COCO layout: one JSON file for all images."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from pycocotools import mask as coco_mask

from mmocc.datasets.occluded_set.sources import (
    SetItem,
    SetObject,
    Source,
    check_size,
)


@dataclass(frozen=True)
class COCOSource(Source):
    """Images with boxes, polygons or run lengths in one JSON file.

    An object is its ``segmentation`` if it has one with a pixel in it, else
    its ``bbox``. Crowds (``iscrowd``) are left as they are.

    Attributes:
        ann_file: The JSON file.
        images: Folder that its file names are in.
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
        known = {image['id'] for image in document['images']}
        if len(known) != len(document['images']):
            raise ValueError(f'{self.ann_file}: two images have the same id')
        of_image = defaultdict(list)
        for note in document['annotations']:
            if note['image_id'] not in known:
                raise ValueError(
                    f'{self.ann_file}: annotation {note["id"]} is for image '
                    f'{note["image_id"]}, which is not in the file'
                )
            label = labels.get(note['category_id'], str(note['category_id']))
            keys = ('id', 'bbox', 'segmentation', 'iscrowd')
            kept = {key: note[key] for key in keys if key in note}
            of_image[note['image_id']].append(dict(kept, label=label))
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
        stated = item.detail['size']
        check_size(item, None if None in stated else stated, size, where)
        return [
            _read_object(note, size, f'{where}, annotation {note["id"]}')
            for note in item.detail['annotations']
        ]

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the JSON file of a cell; see the base class.

        It is the source's, for the images that are there, with the new file
        names and, in each annotation, ``hidden_share`` and ``in_level``.
        """
        document = read_coco(self.ann_file)
        told, names = {}, set()
        for record in records:
            names.add(record['name'])
            cell = record['cells'][name]
            ids = (known['id'] for known in record['objects'])
            told.update(
                zip(
                    ids,
                    zip(cell['shares'], cell['status'], strict=True),
                    strict=True,
                )
            )
        images, kept = [], []
        for image in document['images']:
            stem = _stem(image['file_name'], self.ann_file)
            if stem in names:
                images.append(dict(image, file_name=stem + suffix))
        for note in document['annotations']:
            if str(note['id']) in told:
                share, status = told[str(note['id'])]
                kept.append(
                    dict(note, hidden_share=share, in_level=status == 'inside')
                )
        document = dict(document, images=images, annotations=kept)
        data = json.dumps(document).encode()
        return {f'annotations/{self.ann_file.stem}.json': data}


def read_coco(path: Path) -> dict:
    """Return a COCO document.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no JSON, or lacks images, annotations or categories,
            or their ids; or two annotations share an id.
    """
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f'{path}: not a JSON file ({error})') from error
    wanted = dict(
        images=('id', 'file_name'),
        annotations=('id', 'image_id', 'category_id'),
        categories=('id', 'name'),
    )
    for part, keys in wanted.items():
        rows = document.get(part) if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f'{path}: not a COCO file, it has no {part!r}')
        for row in rows:
            lacking = [key for key in keys if key not in row]
            if lacking:
                raise ValueError(
                    f'{path}: an entry of {part!r} has no {lacking[0]!r}: '
                    f'{str(row)[:200]}'
                )
    ids = [str(note['id']) for note in document['annotations']]
    if len(set(ids)) != len(ids):
        raise ValueError(f'{path}: two annotations have the same id')
    return document


def decode_segmentation(
    segmentation: Any, size: tuple[int, int], where: str
) -> np.ndarray | None:
    """Return polygons or run lengths as a mask.

    Args:
        segmentation: As COCO has it.
        size: (h, w) of the image.
        where: Names the annotation in messages.

    Returns:
        (h, w) uint8; None if there is no segmentation.

    Raises:
        ValueError: It is damaged, or made for an image of another size.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        for polygon in segmentation:
            fine = isinstance(polygon, list) and len(polygon) % 2 == 0
            if not fine or len(polygon) < 6 or not _finite(polygon):
                raise ValueError(
                    f'{where}: a polygon needs pairs x, y of three or more '
                    f'corners, got {str(polygon)[:80]}'
                )
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    else:
        runs = _check_runs(segmentation, size, where)
    try:
        return coco_mask.decode(runs)
    except (ValueError, TypeError, MemoryError) as error:
        raise ValueError(f'{where}: damaged mask ({error})') from error


def _check_runs(
    runs: dict, size: tuple[int, int], where: str
) -> dict[str, Any]:
    """Return run lengths that are safe to decode."""
    counts, stated = runs.get('counts'), runs.get('size')
    if counts is None or stated is None:
        raise ValueError(f'{where}: run lengths need counts and size')
    if list(stated) != list(size):
        raise ValueError(
            f'{where}: its mask is for {list(stated)} (h, w), its image has '
            f'{list(size)}'
        )
    if not isinstance(counts, list):
        return runs
    whole = all(isinstance(run, int) and run >= 0 for run in counts)
    if not whole or sum(counts) != size[0] * size[1]:
        raise ValueError(
            f'{where}: its run lengths do not add up to the image'
        )
    return coco_mask.frPyObjects(runs, *size)


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
    if len(box) != 4 or not _finite(box) or min(box[2:]) < 0:
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


def _finite(values: list) -> bool:
    """Return whether all are finite numbers."""
    return all(isinstance(v, int | float) and np.isfinite(v) for v in values)


def _stem(file_name: str, ann_file: Path) -> str:
    """Return an image's name without ending; refuse one that leads away."""
    path = PurePosixPath(file_name)
    if path.is_absolute() or '..' in path.parts or not path.name:
        raise ValueError(
            f'{ann_file}: file_name {file_name!r} leads out of the image '
            'folder'
        )
    return str(path.with_suffix(''))
