"""CUB-200-2011 (Wah et al., Caltech CNS-TR-2011-001), from its own files."""

from pathlib import Path
from typing import Any

from mmocc.datasets.lists import read_lines
from mmocc.datasets.wsol.reader import (
    Boxes,
    WSOLImage,
    WSOLReader,
    gather_boxes,
    parse_box,
    read_pairs,
)

_SPLITS = {'train': '1', 'test': '0'}


class CUBReader(WSOLReader):
    """``CUB_200_2011/`` with ``images/`` and the lists beside it.

    The image id is the path within ``images``, as in the public metadata.

    Args:
        *args: As in :class:`WSOLReader`: ``split`` is ``train`` or ``test``;
            by default, ``classes.txt`` has the names of the classes.

    Raises:
        ValueError: If there is no such split.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if self.split not in _SPLITS:
            raise ValueError(
                f'split is {self.split!r}; CUB-200-2011 has '
                f'{", ".join(_SPLITS)}'
            )
        names = self.data_root / 'classes.txt'
        if self.classes is None and names.is_file():
            self.classes = tuple(read_pairs(names, 'CLASS_ID NAME').values())

    def images(self) -> list[WSOLImage]:
        """Return the images of the split."""
        paths, labels, splits = (
            read_pairs(self.data_root / f'{name}.txt', f'IMAGE_ID {value}')
            for name, value in (
                ('images', 'PATH'),
                ('image_class_labels', 'CLASS_ID'),
                ('train_test_split', '0 or 1'),
            )
        )
        folder, images = self.data_root / 'images', []
        for number, path in paths.items():
            if number not in labels or number not in splits:
                raise ValueError(
                    f'{self.data_root}: image {number} ({path}) of images.txt '
                    'is missing in image_class_labels.txt or '
                    'train_test_split.txt'
                )
            if splits[number] == _SPLITS[self.split]:
                text = labels[number]
                if not text.isdecimal() or int(text) < 1:
                    raise ValueError(
                        f'{self.data_root / "image_class_labels.txt"}: the '
                        f'class of {path} is {text!r}; it must be a number '
                        'from 1'
                    )
                images.append(WSOLImage(path, folder / path, int(text) - 1))
        return images

    def boxes(self) -> Boxes:
        """Return the box of every image, of both splits.

        The file has x, y, width, height; x + width is the end, as in the
        public metadata (which clips it to the image's last pixel).
        """
        paths = read_pairs(self.data_root / 'images.txt', 'IMAGE_ID PATH')

        def parse(line: str) -> tuple[str, list[float]]:
            number, *box = line.split()
            x, y, width, height = map(float, box)
            return paths[number], parse_box((x, y, x + width, y + height))

        form = 'IMAGE_ID X Y WIDTH HEIGHT, the id one of images.txt'
        return gather_boxes(read_lines(Path(self.source()), parse, form))

    def source(self) -> str:
        """Return the path of the boxes."""
        return str(self.data_root / 'bounding_boxes.txt')
