"""Tiny ImageNet: 64-pixel images with one box each, and smaller copies."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.datasets.lists import read_lines
from mmocc.datasets.wsol.reader import (
    Boxes,
    WSOLImage,
    WSOLReader,
    gather_boxes,
    parse_box,
)
from mmocc.utils.files import expand, list_folders, list_images

_COLUMNS = ('x0_64', 'y0_64', 'x1_64', 'y1_64')


class TinyImageNetReader(WSOLReader):
    """``train/<wnid>/images`` and ``val/images``, with boxes in text files.

    The label is the place among the sorted folders of ``train``; the image id
    is the path within ``data_root``.

    Args:
        *args: As in :class:`WSOLReader`: ``data_root`` is the folder
            ``tiny-imagenet-200``, or one like it, ``split`` is ``train`` or
            ``val``; by default, classes are named by their WordNet ids.
        box_file: CSV file in ``data_root`` with the columns split, path, wnid,
            x0_64, y0_64, x1_64 and y1_64. None: the files of the public set,
            ``train/<wnid>/<wnid>_boxes.txt`` and ``val/val_annotations.txt``.
        box_scale: Factor for the boxes: 0.5 for images that were halved
            after their boxes were drawn.

    Raises:
        ValueError: If ``box_scale`` is not above 0.
    """

    def __init__(
        self,
        *args: Any,
        box_file: str | None = None,
        box_scale: float = 1.0,
    ) -> None:
        super().__init__(*args)
        if box_scale <= 0:
            raise ValueError(f'box_scale is {box_scale}; it must be above 0')
        self.box_file = None
        if box_file:
            self.box_file = self.data_root / expand(box_file)
        self.box_scale = box_scale
        folders = list_folders(self.data_root / 'train')
        self.wnids = [path.name for path in folders]
        if not self.wnids:
            raise FileNotFoundError(
                f'{self.data_root / "train"}: no folder of a class in it; '
                'labels are counted there, so each split needs it'
            )
        self.classes = self.classes or tuple(self.wnids)

    def images(self) -> list[WSOLImage]:
        """Return the images of a folder per class."""
        root = self.data_root / self.split
        if not all((root / wnid).is_dir() for wnid in self.wnids):
            raise ValueError(
                f'{root}: no folder per class, so only the file of the boxes '
                f'({self.source()}) has the labels; give with_boxes=True, '
                'which is for the test'
            )
        return [
            WSOLImage(str(path.relative_to(self.data_root)), path, label)
            for label, wnid in enumerate(self.wnids)
            for path in list_images(root / wnid / 'images')
        ]

    def labelled_by_boxes(self) -> list[WSOLImage]:
        """Return the images that the file of the boxes lists."""
        if (self.data_root / self.split / self.wnids[0]).is_dir():
            return self.images()
        return [
            WSOLImage(path, self.data_root / path, self.wnids.index(wnid))
            for path, wnid, _ in self._read()
        ]

    def boxes(self) -> Boxes:
        """Return one box for each image, in its pixels."""
        return gather_boxes(
            (path, (self.box_scale * np.array(box)).tolist())
            for path, _, box in self._read()
        )

    def source(self) -> str:
        """Return the path of the boxes."""
        if self.box_file:
            return str(self.box_file)
        name = f'{self.split}_annotations'
        if self.split == 'train':
            name = '<wnid>/<wnid>_boxes'
        return str(self.data_root / self.split / f'{name}.txt')

    def _read(self) -> Iterator[tuple[str, str, list[float]]]:
        """Yield path, WordNet id and box of each image of the split."""
        if self.box_file:
            yield from self._read_csv(self.box_file)
        elif self.split == 'train':
            for wnid in self.wnids:
                path = f'train/{wnid}/{wnid}_boxes.txt'
                yield from self._read_text(path, f'train/{wnid}/images', wnid)
        else:
            folder = f'{self.split}/images'
            path = f'{self.split}/{self.split}_annotations.txt'
            yield from self._read_text(path, folder)

    def _read_text(
        self, path: str, folder: str, wnid: str | None = None
    ) -> Iterator[tuple[str, str, list[float]]]:
        """Yield the lines of a file of the public set."""

        def parse(line: str) -> tuple[str, str, list[float]]:
            name, *fields = line.split()
            class_id, *box = [wnid, *fields] if wnid else fields
            self._check(class_id)
            return f'{folder}/{name}', class_id, parse_box(box)

        form = 'FILE X1 Y1 X2 Y2' if wnid else 'FILE WNID X1 Y1 X2 Y2'
        yield from read_lines(self.data_root / path, parse, form)

    def _read_csv(self, path: Path) -> Iterator[tuple[str, str, list[float]]]:
        """Yield the rows of the split in a CSV file with a header."""

        def split(line: str) -> list[str]:
            return next(csv.reader([line]))

        header = next(read_lines(path, split, ''), [])

        def parse(line: str) -> tuple[str, str, list[float]] | None:
            row = dict(zip(header, split(line), strict=True))
            if list(row.values()) == header or row['split'] != self.split:
                return None
            self._check(row['wnid'])
            box = parse_box([row[column] for column in _COLUMNS])
            return row['path'], row['wnid'], box

        form = f'split,path,wnid,...,{",".join(_COLUMNS)}'
        rows = read_lines(path, parse, form)
        yield from (row for row in rows if row is not None)

    def _check(self, wnid: str) -> None:
        """Refuse a class without a folder in ``train``."""
        if wnid not in self.wnids:
            raise ValueError(f'{wnid} has no folder in train')
