"""The Pascal VOC layout: one annotation file and one mask per image."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from mmocc.datasets.transforms.crop_object import read_index_mask
from mmocc.datasets.voc_layout import (
    index_folder,
    read_fitting,
    read_photos,
    read_root,
)
from mmocc.occluded_sets.sources import (
    SetItem,
    SetObject,
    Source,
)
from mmocc.utils.files import expand
from mmocc.utils.photos import photo_size

SEGMENTATIONS = ('SegmentationObject', 'SegmentationClass')


@dataclass(frozen=True)
class VOCSource(Source):
    """Images, boxes and, where there are any, instance masks of VOC.

    An object is its pixels in ``SegmentationObject`` if it has some there,
    else its box: VOC leaves difficult objects out of its masks.
    """

    root: Path
    split: str
    layout: ClassVar[str] = 'voc'
    image_dir: ClassVar[str] = 'JPEGImages'

    @property
    def title(self) -> str:
        """The split."""
        return self.split

    def items(self) -> list[SetItem]:
        """Return the images of the split; see the base class."""
        root = expand(self.root)
        photos = read_photos(root, self.split)
        masks = [index_folder(root / s, ('.png',)) for s in SEGMENTATIONS]
        items = []
        for img_id, path in photos.items():
            if img_id.startswith('/') or '..' in img_id.split('/'):
                raise ValueError(
                    f'{root}, split {self.split}: {img_id!r} is no image id, '
                    'which is a path below JPEGImages without ending'
                )
            # A missing file fails later, when it is read.
            path = path or str(root / 'JPEGImages' / f'{img_id}.jpg')
            xml = str(root / 'Annotations' / f'{img_id}.xml')
            paths = [mask.get(img_id) for mask in masks]
            files = (xml, *filter(None, paths))
            has = [mask is not None for mask in paths]
            items.append(SetItem(img_id, path, files, dict(masks=has)))
        return items

    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the objects of the XML file; see the base class."""
        xml = item.files[0]
        mask = item.files[1] if item.detail['masks'][0] else None
        annotation = read_fitting(xml, item.path)
        instances = None
        if mask is not None:
            instances = read_index_mask(mask)
            if instances.shape != size:
                shape = instances.shape
                raise ValueError(
                    f'{item.path}: is {size[1]} x {size[0]} pixels, but '
                    f'{mask} is for {shape[1]} x {shape[0]}; they do not '
                    'belong together'
                )
        objects = []
        for target in annotation.objects:
            number = target.instance_id
            x1, y1, x2, y2 = target.box
            if x1 >= size[1] or y1 >= size[0] or x2 <= 0 or y2 <= 0:
                raise ValueError(
                    f'{xml}, object {number}: its box lies wholly outside the '
                    f'image of {size[1]} x {size[0]} pixels'
                )
            pixels = None
            if instances is not None and number != 255:
                pixels = (instances == number).astype(np.uint8)
                pixels = pixels if pixels.any() else None
            objects.append(
                SetObject(
                    str(number),
                    target.name,
                    target.box,
                    pixels,
                    empty_mask=instances is not None and pixels is None,
                )
            )
        return objects

    def annotations(
        self, item: SetItem, cell: dict, suffix: str
    ) -> dict[str, bytes]:
        """Return the XML file with the shares in it, and copies of masks."""
        root = read_root(item.files[0])
        _state_size(root, photo_size(item.path))
        xml = add_shares(root, item.name + suffix, cell)
        files = {f'Annotations/{item.name}.xml': xml}
        folders = [
            s
            for s, has in zip(SEGMENTATIONS, item.detail['masks'], strict=True)
            if has
        ]
        for folder, path in zip(folders, item.files[1:], strict=True):
            files[f'{folder}/{item.name}.png'] = Path(path).read_bytes()
        return files

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the split list of a cell; see the base class."""
        return {f'ImageSets/Main/{self.split}.txt': list_names(records)}


def _state_size(root: Element, size: tuple[int, int]) -> None:
    """Correct a stated size that is not the photo's (w, h) as shown."""
    for tag, value in zip(('width', 'height'), size, strict=True):
        element = root.find(f'size/{tag}')
        text = '' if element is None else element.text or ''
        if element is not None and text.strip() != str(value):
            element.text = str(value)


def list_names(records: Iterable[dict]) -> bytes:
    """Return the images' names as lines."""
    return ''.join(f'{record["name"]}\n' for record in records).encode()


def add_shares(root: Element, filename: str, cell: dict) -> bytes:
    """Return an annotation with each object's ``<hidden>`` share.

    ``<in_level>`` is 0 or 1; readers of VOC ignore both.
    """
    element = root.find('filename')
    if element is None:
        element = SubElement(root, 'filename')
    element.text = filename
    for element, share, status in zip(
        root.findall('object'), cell['shares'], cell['status'], strict=True
    ):
        for tag, text in (
            ('hidden', f'{share or 0:.6f}'),
            ('in_level', str(int(status == 'inside'))),
        ):
            for old in element.findall(tag):
                element.remove(old)
            SubElement(element, tag).text = text
    indent(root)
    return tostring(root, encoding='utf-8') + b'\n'
