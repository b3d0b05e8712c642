"""The base of all layouts, and how their pairs and boxes are read."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmocc.datasets.lists import read_unique
from mmocc.utils.files import expand
from mmocc.utils.readable import PIXEL_LIMIT

Boxes = dict[str, np.ndarray]  # image id: float32 (n, 4) xyxy


class WSOLImage(NamedTuple):
    """One image: its id in the layout's files, its path and its class."""

    image_id: str
    path: Path
    label: int


class Masks(NamedTuple):
    """The masks of one image; ``ignore`` counts neither way, or is None."""

    masks: list[Path]
    ignore: Path | None


class WSOLReader:
    """Images and labels of one split, and separately its boxes.

    :meth:`images` never opens a file that holds a box or mask; only
    :meth:`boxes` and :meth:`masks` do.

    Args:
        data_root: Folder of the data set.
        split: Name of the split, in the layout's words.
        classes: Names of the classes, by label; None for the layout's own.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.data_root = expand(data_root)
        self.split = split
        self.classes = classes

    def images(self) -> list[WSOLImage]:
        """Return the images of the split, in the order of the files.

        Raises:
            FileNotFoundError: If a file of the layout does not exist.
            ValueError: If a line does not parse, or an image has no label.
        """
        raise NotImplementedError

    def labelled_by_boxes(self) -> list[WSOLImage]:
        """Return the images for the test, where box files may be read.

        Some layouts name classes only there.
        """
        return self.images()

    def boxes(self) -> Boxes:
        """Return boxes in pixels of the images, where the layout has them."""
        return {}

    def masks(self) -> dict[str, Masks]:
        """Return masks, where the layout has them."""
        return {}

    def source(self) -> str:
        """Return the path of the boxes or masks, for messages."""
        raise NotImplementedError


def read_pairs(path: Path, form: str) -> dict[str, str]:
    """Read lines of two fields, separated by a blank, by their first.

    ValueError if two lines have the same first field.
    """

    def parse(line: str) -> tuple[str, str]:
        first, second = line.split()
        return first, second

    return read_unique(path, parse, form)


def parse_label(text: str) -> int:
    """Return a label; ValueError if it is negative or no number."""
    if int(text) < 0:
        raise ValueError('labels count from 0')
    return int(text)


def parse_box(fields: Sequence[str | float]) -> list[float]:
    """Return a box x1, y1, x2, y2.

    Raises:
        ValueError: If these are not four numbers, below 2^31 in size, of a
            box.
    """
    box = [float(field) for field in fields]
    # NaN is not below the limit either.
    if len(box) != 4 or not all(abs(value) < PIXEL_LIMIT for value in box):
        raise ValueError(f'a box is four finite numbers below {PIXEL_LIMIT}')
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError('the box ends before it begins')
    return box


def gather_boxes(pairs: Iterator[tuple[str, list[float]]]) -> Boxes:
    """Collect boxes by image, in the order of the file."""
    boxes: dict[str, list] = {}
    for image_id, box in pairs:
        boxes.setdefault(image_id, []).append(box)
    return {key: np.array(value, np.float32) for key, value in boxes.items()}
