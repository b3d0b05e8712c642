"""Annotations as Pascal VOC has them, for data that the project draws."""

from collections.abc import Iterable
from xml.sax.saxutils import escape


def voc_xml(
    folder: str,
    file_name: str,
    shape: tuple[int, int, int],
    objects: Iterable[dict],
    segmented: bool = False,
) -> bytes:
    """Return the XML file of one image.

    Args:
        folder: Name of the data set.
        file_name: The image's.
        shape: (h, w, channels) of the image.
        objects: Tags of each object; ``bndbox`` is a half-open xyxy box,
            which VOC counts from 1 and inclusive.
        segmented: Whether the image has masks.
    """
    height, width, depth = shape
    lines = [
        '<annotation>',
        f'  <folder>{folder}</folder>',
        f'  <filename>{escape(file_name)}</filename>',
        f'  <size><width>{width}</width><height>{height}</height>'
        f'<depth>{depth}</depth></size>',
        f'  <segmented>{int(segmented)}</segmented>',
    ]
    for tags in objects:
        lines.append('  <object>')
        for tag, value in tags.items():
            text = escape(str(value))
            if tag == 'bndbox':
                x1, y1, x2, y2 = value
                text = (
                    f'<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>'
                    f'<xmax>{x2}</xmax><ymax>{y2}</ymax>'
                )
            lines.append(f'    <{tag}>{text}</{tag}>')
        lines.append('  </object>')
    return '\n'.join([*lines, '</annotation>', '']).encode()
