"""ILSVRC 2012 (ImageNet-1k), with the boxes of its localization task."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmocc.datasets.lists import read_lines
from mmocc.datasets.voc_layout import read_fitting
from mmocc.datasets.wsol.reader import (
    Boxes,
    WSOLImage,
    WSOLReader,
    gather_boxes,
    parse_box,
    parse_label,
)
from mmocc.utils.files import expand, list_classes


class ILSVRCReader(WSOLReader):
    """Images of a folder, with labels by folder or by list.

    ``data_root`` has ``train/<wnid>/*.JPEG``, ``val/*.JPEG``, and optionally
    ``meta/<split>.txt`` and ``Annotations/CLS-LOC/<split>``; ``split`` is a
    folder in it. The image id is the path within ``data_root``, such as
    ``val/ILSVRC2012_val_00000001.JPEG``, as in the public metadata.

    Args:
        *args: As in :class:`WSOLReader`.
        image_list: File with ``PATH LABEL`` lines, the path within the
            split's folder. None: ``meta/<split>.txt`` if it exists, else the
            sorted folders of the split, which are its classes.
        boxes: Folder of XML files as in the challenge, or file of lines
            ``PATH LABEL X1 Y1 X2 Y2 ...`` as TS-CAM's ``val_folder_new.txt``,
            which then is the list of images, too.
    """

    def __init__(
        self,
        *args: Any,
        image_list: str | None = None,
        boxes: str | None = None,
    ) -> None:
        super().__init__(*args)
        default = self.data_root / 'meta' / f'{self.split}.txt'
        self.image_list = default if default.is_file() else None
        if image_list:
            self.image_list = self.data_root / expand(image_list)
        boxes = boxes or f'Annotations/CLS-LOC/{self.split}'
        self.box_source = self.data_root / expand(boxes)

    def images(self) -> list[WSOLImage]:
        """Return the images of the list, or of the folders."""
        if self.image_list:
            form = 'PATH LABEL; a list with boxes is layout_args.boxes'
            lines = read_lines(self.image_list, _parse_label, form)
            return [self._image(path, label) for path, label in lines]
        return self._scan_folders()

    def labelled_by_boxes(self) -> list[WSOLImage]:
        """Return the images of the list with boxes, if there is one."""
        if self.image_list or not self.box_source.is_file():
            return self.images()
        return [self._image(*line[:2]) for line in self._read_list()]

    def boxes(self) -> Boxes:
        """Return the boxes of the XML files, or of the list."""
        if self.box_source.is_file():
            return gather_boxes(
                (f'{self.split}/{path}', box)
                for path, _, boxes in self._read_list()
                for box in boxes
            )
        return gather_boxes(
            (image.image_id, box)
            for image in self.images()
            for box in self._read_xml(image)
        )

    def source(self) -> str:
        """Return the path of the boxes."""
        return str(self.box_source)

    def _read_list(self) -> Iterator[tuple[str, int, list[list[float]]]]:
        """Yield path, label and boxes of each line of a list with boxes."""
        form = 'PATH LABEL X1 Y1 X2 Y2, and more boxes after them'
        return read_lines(self.box_source, _parse_boxes, form)

    def _read_xml(self, image: WSOLImage) -> list[list[float]]:
        """Return the boxes of one image, with the numbers of the file.

        VOC counts from 1, which ``parse_voc_xml`` subtracts from the first
        corner. Here counts begin at 0 in practice (many boxes at 0, none at
        the width), and the reference uses the numbers as they are.
        """
        name = Path(image.image_id).relative_to(self.split)
        xml = self.box_source / name.with_suffix('.xml')
        objects = read_fitting(xml, image.path).objects
        return [
            [x1 + 1, y1 + 1, x2, y2]
            for x1, y1, x2, y2 in (item.box for item in objects)
        ]

    def _scan_folders(self) -> list[WSOLImage]:
        """Return the images of a folder per class."""
        root = self.data_root / self.split
        classes = list_classes(root)
        if not classes:
            raise FileNotFoundError(
                f'{root}: no folder of a class in it, and no list of images; '
                f'write {self.data_root / "meta" / self.split}.txt with PATH '
                'LABEL lines, or name one in layout_args.image_list'
            )
        return [
            self._image(f'{folder.name}/{path.name}', label)
            for label, (folder, paths) in enumerate(classes)
            for path in paths
        ]

    def _image(self, path: str, label: int) -> WSOLImage:
        """Return the image of a path in the split's folder."""
        image_id = f'{self.split}/{path}'
        return WSOLImage(image_id, self.data_root / image_id, label)


def _parse_label(line: str) -> tuple[str, int]:
    """Parse a line of a list without boxes."""
    path, label = line.split()
    return path, parse_label(label)


def _parse_boxes(line: str) -> tuple[str, int, list[list[float]]]:
    """Parse a line of a list with boxes."""
    path, label, *numbers = line.split()
    if not numbers or len(numbers) % 4:
        raise ValueError(f'{len(numbers)} numbers are no boxes of four')
    starts = range(0, len(numbers), 4)
    boxes = [parse_box(numbers[start : start + 4]) for start in starts]
    return path, parse_label(label), boxes
