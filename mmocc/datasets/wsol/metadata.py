"""The metadata of clovaai/wsolevaluation, the public format.

``image_ids.txt``, ``class_labels.txt``, ``image_sizes.txt`` and
``localization.txt``, a comma between fields. Only the last holds boxes (CUB,
ILSVRC) or masks (OpenImages30k): training on labels must not open it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmocc.datasets.lists import read_lines, read_unique
from mmocc.datasets.wsol.reader import (
    Boxes,
    Masks,
    WSOLImage,
    WSOLReader,
    gather_boxes,
    parse_box,
    parse_label,
)
from mmocc.utils.files import expand
from mmocc.utils.photos import agree

FILES = ('image_ids', 'class_labels', 'image_sizes', 'localization')


class Localization(NamedTuple):
    """Boxes, or masks by names, of a ``localization.txt``; the other is {}."""

    boxes: Boxes
    masks: dict[str, tuple[list[str], str | None]]


def read_image_ids(folder: Path, name: str = 'image_ids.txt') -> list[str]:
    """Read ``image_ids.txt``: a path relative to the images in each line."""
    return list(read_lines(folder / name, str.strip, 'IMAGE'))


def read_class_labels(folder: Path) -> dict[str, int]:
    """Read ``class_labels.txt``: labels from 0, by image."""
    path = folder / 'class_labels.txt'
    form = 'IMAGE,LABEL, such as a.jpg,0'
    return read_unique(path, _parse_label, form)


def read_image_sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Read ``image_sizes.txt``: (w, h) by image, as the file has them."""
    path = folder / 'image_sizes.txt'
    form = 'IMAGE,WIDTH,HEIGHT, such as a.jpg,500,375'
    return read_unique(path, _parse_size, form)


def read_localization(folder: Path) -> Localization:
    """Read ``localization.txt``, which holds boxes or masks.

    Returns:
        Boxes as float32 (n, 4) xyxy; or names of masks, and of the mask to
        ignore (None where no line of the image names it).
    """
    path = folder / 'localization.txt'
    fields = next(read_lines(path, str, ''), '').rsplit(',', 2)
    if len(fields) != 3 or not fields[1].lower().endswith('.png'):
        form = 'IMAGE,X1,Y1,X2,Y2, such as a.jpg,60,27,385,331'
        return Localization(gather_boxes(read_lines(path, _parse, form)), {})
    masks: dict[str, tuple] = {}
    form = 'IMAGE,MASK.png,IGNORE.png, the last may be empty'
    for image_id, mask, ignore in read_lines(path, _parse_masks, form):
        paths, known = masks.get(image_id, ([], None))
        masks[image_id] = ([*paths, mask], known or ignore)
    return Localization({}, masks)


def write_metadata(
    folder: Path,
    infos: Sequence[dict],
    sizes: Mapping[str, tuple[int, int]],
) -> None:
    """Write a split in the public format, as the functions above read it.

    Boxes are rounded to whole pixels, as the public files have them.

    Args:
        folder: Such as ``metadata/test``; made if it does not exist.
        infos: Of each image ``image_id`` and ``gt_label``; for the test also
            ``gt_bboxes`` (n, 4) xyxy, or ``gt_mask_paths`` and
            ``ignore_mask_path``.
        sizes: (w, h) by image id.

    Raises:
        ValueError: If an image has neither box nor mask, and others have.
    """
    lines: dict[str, list[str]] = {name: [] for name in FILES}
    for info in infos:
        name = info['image_id']
        width, height = sizes[name]
        lines['image_ids'].append(name)
        lines['class_labels'].append(f'{name},{int(info["gt_label"])}')
        lines['image_sizes'].append(f'{name},{width},{height}')
        ignore = info.get('ignore_mask_path') or ''
        for mask in info.get('gt_mask_paths', ()):
            lines['localization'].append(f'{name},{mask},{ignore}')
            ignore = ''  # only the first line of an image names it
        for box in info.get('gt_bboxes', ()):
            ends = ','.join(str(round(float(end))) for end in box)
            lines['localization'].append(f'{name},{ends}')
    cut = 2 if any('gt_mask_paths' in info for info in infos) else 4
    found = {line.rsplit(',', cut)[0] for line in lines['localization']}
    names = lines['image_ids']
    missing = [name for name in names if found and name not in found]
    if missing:
        raise ValueError(
            f'{missing[0]} has neither box nor mask, though others have; '
            'leave it out, or add it to the annotations'
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in lines.items():
        if rows:
            text = ''.join(f'{row}\n' for row in rows)
            (folder / f'{name}.txt').write_text(text, encoding='utf-8')


def _parse_label(line: str) -> tuple[str, int]:
    """Parse a line of ``class_labels.txt``."""
    image_id, label = line.rsplit(',', 1)
    return image_id, parse_label(label)


def _parse_size(line: str) -> tuple[str, tuple[int, int]]:
    """Parse a line of ``image_sizes.txt``."""
    image_id, width, height = line.rsplit(',', 2)
    if min(int(width), int(height)) < 1:
        raise ValueError('a size is 1 or more')
    return image_id, (int(width), int(height))


def _parse(line: str) -> tuple[str, list[float]]:
    """Parse a line of ``localization.txt`` with a box."""
    image_id, *box = line.rsplit(',', 4)
    return image_id, parse_box(box)


def _parse_masks(line: str) -> tuple[str, str, str | None]:
    """Parse a line of ``localization.txt`` with a mask."""
    image_id, mask, ignore = line.rsplit(',', 2)
    if not mask.strip():
        raise ValueError('it names no mask')
    return image_id, mask.strip(), ignore.strip() or None


class MetadataReader(WSOLReader):
    """Images by a metadata folder.

    Args:
        *args: As in :class:`WSOLReader`; image ids are relative to
            ``data_root``.
        metadata: Folder with a folder per split, such as ``test``.
        mask_root: Folder that the masks are relative to; None for
            ``data_root``, where OpenImages30k has them.
        image_ids: The list of images in the split's folder, such as
            ``image_ids_proxy.txt``, the smaller set for a search.
    """

    def __init__(
        self,
        *args: Any,
        metadata: str | Path = 'metadata',
        mask_root: str | Path | None = None,
        image_ids: str = 'image_ids.txt',
    ) -> None:
        super().__init__(*args)
        self.folder = expand(metadata) / self.split
        self.mask_root = expand(mask_root or self.data_root)
        self.image_ids = image_ids

    def images(self) -> list[WSOLImage]:
        """Return the images of the list."""
        labels, images = read_class_labels(self.folder), []
        for name in read_image_ids(self.folder, self.image_ids):
            if name not in labels:
                raise ValueError(
                    f'{self.folder / "class_labels.txt"}: no label for '
                    f'{name}, though {self.image_ids} lists it'
                )
            images.append(WSOLImage(name, self.data_root / name, labels[name]))
        return images

    def boxes(self) -> Boxes:
        """Return the boxes of ``localization.txt``.

        ValueError if ``image_sizes.txt``, where there is one, states another
        size than a photo has.
        """
        boxes = read_localization(self.folder).boxes
        path = self.folder / 'image_sizes.txt'
        sizes = read_image_sizes(self.folder) if path.is_file() else {}
        for name, size in sizes.items():
            photo = self.data_root / name
            if name in boxes and photo.is_file():
                agree(photo, size, str(path), boxes[name])
        return boxes

    def masks(self) -> dict[str, Masks]:
        """Return the masks of ``localization.txt``."""
        named = read_localization(self.folder).masks
        return {
            image_id: Masks(
                [self.mask_root / mask for mask in masks],
                self.mask_root / ignore if ignore else None,
            )
            for image_id, (masks, ignore) in named.items()
        }

    def source(self) -> str:
        """Return the path of ``localization.txt``."""
        return str(self.folder / 'localization.txt')
