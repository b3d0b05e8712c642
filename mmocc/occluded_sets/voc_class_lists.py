"""Writes the lists of classes that a set in the VOC layout may lack."""

from collections.abc import Sequence
from pathlib import Path

from mmocc.datasets.voc_layout import parse_voc_xml, read_split


def write_class_lists(
    root: Path, split: str, classes: Sequence[str]
) -> list[Path]:
    """Write ``ImageSets/Main/<class>_<split>.txt`` out of the annotations.

    As Pascal VOC has them: 1 where an image shows the class, 0 where all it
    shows of it is difficult, else -1. They are labels without boxes.

    Args:
        root: Folder with the VOC layout.
        split: Name of a list in ``ImageSets/Main``.
        classes: Names of the classes.

    Returns:
        The files.
    """
    flags = {}
    for img_id in read_split(root, split):
        objects = parse_voc_xml(root / f'Annotations/{img_id}.xml').objects
        # What is not difficult comes last, and so prevails.
        flags[img_id] = {
            item.name: 0 if item.difficult == 1 else 1
            for item in sorted(objects, key=lambda item: -item.difficult)
        }
    paths = []
    for name in classes:
        path = root / f'ImageSets/Main/{name}_{split}.txt'
        lines = [
            f'{i} {found.get(name, -1):2}\n' for i, found in flags.items()
        ]
        path.write_text(''.join(lines))
        paths.append(path)
    return paths
