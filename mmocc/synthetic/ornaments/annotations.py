"""What is written of a page beside its picture: COCO json and VOC XML."""

from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

from mmocc.synthetic.ornaments.page import OUTSIDE, PlacedGlyph

OUTSIDE_NAME = 'outside'  # category of all that is not in the dictionary


def object_records(placed: Sequence[PlacedGlyph]) -> list[dict[str, Any]]:
    """Return label, glyph and box (half-open xyxy) of each object."""
    return [
        dict(label=item.label, glyph=item.glyph.name, box=list(item.box))
        for item in placed
    ]


def voc_xml(name: str, page: int, objects: Sequence[dict]) -> str:
    """Return the VOC annotation of a page; boxes 1-based and inclusive."""
    lines = [
        '<annotation>',
        '  <folder>ornament_pages</folder>',
        f'  <filename>{escape(name)}.png</filename>',
        f'  <size><width>{page}</width><height>{page}</height>'
        '<depth>1</depth></size>',
        '  <segmented>0</segmented>',
    ]
    for item in objects:
        x1, y1, x2, y2 = item['box']
        outside = item['label'] == OUTSIDE
        glyph = escape(item['glyph'])
        lines += [
            '  <object>',
            f'    <name>{OUTSIDE_NAME if outside else glyph}</name>',
            '    <pose>Unspecified</pose>',
            '    <truncated>0</truncated>',
            '    <difficult>0</difficult>',
            f'    <bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>'
            f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>',
            f'    <anomaly>{int(outside)}</anomaly>',
            f'    <glyph>{glyph}</glyph>',
            '  </object>',
        ]
    return '\n'.join([*lines, '</annotation>', ''])


def coco_json(
    records: Iterable[dict], classes: Sequence[str], page: int
) -> dict[str, list[dict]]:
    """Return the COCO annotations of a split.

    Category ``label + 1`` is a class of the dictionary, the last one is for
    all objects outside of it. Areas are those of the boxes.

    Args:
        records: Name and objects of each page.
        classes: Names of the dictionary's classes.
        page: Side of a page in pixels.
    """
    images, annotations = [], []
    for number, record in enumerate(records, start=1):
        images.append(
            dict(
                id=number,
                file_name=f'{record["name"]}.png',
                height=page,
                width=page,
            )
        )
        for item in record['objects']:
            x1, y1, x2, y2 = item['box']
            outside = item['label'] == OUTSIDE
            label = len(classes) if outside else item['label']
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label + 1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                    anomaly=int(outside),
                    glyph=item['glyph'],
                )
            )
    categories = [
        dict(id=label + 1, name=name, supercategory='dictionary')
        for label, name in enumerate(classes)
    ]
    categories.append(
        dict(
            id=len(classes) + 1,
            name=OUTSIDE_NAME,
            supercategory=OUTSIDE_NAME,
        )
    )
    return dict(images=images, annotations=annotations, categories=categories)
