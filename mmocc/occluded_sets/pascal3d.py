"""OccludedPASCAL3D+ as a source; the occluded set has VOC's layout."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree.ElementTree import Element, SubElement

from mmocc.datasets.occluded_pascal3d import OccludedPASCAL3D
from mmocc.datasets.occlusion_masks import read_object_mask
from mmocc.occluded_sets.sources import (
    SetItem,
    SetObject,
    Source,
)
from mmocc.occluded_sets.voc import add_shares, list_names
from mmocc.utils.pictures import encode_image

SPLIT = 'test'


@dataclass(frozen=True)
class PASCAL3DSource(Source):
    """Photos of one object each (its mask, else its box), usually clean.

    :class:`mmocc.datasets.OccludedPASCAL3D` reads ``root``, and has the other
    arguments. Images are called ``<category>_<stem>``.
    """

    root: Path
    level: str = 'L0'
    categories: tuple[str, ...] | None = None
    lost_edge: str = 'error'
    layout: ClassVar[str] = 'pascal3d'
    image_dir: ClassVar[str] = 'JPEGImages'

    @property
    def title(self) -> str:
        """The level of the source."""
        return self.level

    def items(self) -> list[SetItem]:
        """Return the photos of all categories; see the base class."""
        reader = OccludedPASCAL3D(
            data_root=str(self.root),
            level=self.level,
            categories=self.categories,
            lost_edge=self.lost_edge,
            context=0,
            pipeline=[],
            serialize_data=False,
        )
        return [_item(sample) for sample in reader.data_list]

    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the photo's one object; see the base class."""
        label, box = item.detail['category'], tuple(item.detail['box'])
        mask = read_object_mask(item.files[0], size)
        return [SetObject('1', label, box, mask)]

    def annotations(
        self, item: SetItem, cell: dict, suffix: str
    ) -> dict[str, bytes]:
        """Return a VOC annotation and, if there is one, an 8-bit 0/1 mask."""
        size, box = item.detail['size'], item.detail['box']
        root = voc_annotation(item.detail['category'], box, size)
        xml = add_shares(root, item.name + suffix, cell)
        files = {f'Annotations/{item.name}.xml': xml}
        mask = self.objects(item, tuple(size[::-1]))[0].mask
        if mask is not None:
            files[f'SegmentationObject/{item.name}.png'] = encode_image(mask)
        return files

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the split list of a cell; see the base class."""
        return {f'ImageSets/Main/{SPLIT}.txt': list_names(records)}


def voc_annotation(
    label: str, box: tuple[float, ...], size: tuple[int, int]
) -> Element:
    """Return a VOC annotation of one object.

    ``box`` is xyxy in pixels (VOC's is 1-based, inclusive), ``size`` (w, h).
    """
    root = Element('annotation')
    SubElement(root, 'filename')
    of_image = SubElement(root, 'size')
    for tag, value in dict(width=size[0], height=size[1], depth=3).items():
        SubElement(of_image, tag).text = str(value)
    target = SubElement(root, 'object')
    SubElement(target, 'name').text = label
    SubElement(target, 'difficult').text = '0'
    corners = SubElement(target, 'bndbox')
    x1, y1, x2, y2 = box
    values = dict(xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    for tag, value in values.items():
        SubElement(corners, tag).text = f'{value:g}'
    return root


def _item(sample: dict) -> SetItem:
    """Return a sample of the reader as an image to occlude."""
    left, top = sample['crop_box'][:2]
    box = sample['gt_bboxes'][0] + [left, top, left, top]
    return SetItem(
        f'{sample["category"]}_{sample["img_id"]}',
        sample['img_path'],
        (sample['annotation_path'],),
        dict(
            category=sample['category'],
            box=[float(value) for value in box],
            size=list(sample['photo_shape'][::-1]),
        ),
    )
