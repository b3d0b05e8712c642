"""What the generator asks of a layout, and what layouts share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from PIL import Image

from mmocc.utils.readable import PICTURE_ERRORS

MASK_DIR = 'OcclusionMasks'


@dataclass(frozen=True)
class SetItem:
    """One image to occlude.

    Attributes:
        name: Its unique path below the image folder, without an ending.
        path: The image file.
        files: Further files that the result depends on.
        detail: What else the layout knows: JSON, without absolute paths.
    """

    name: str
    path: str
    files: tuple[str, ...] = ()
    detail: Any = None


@dataclass(frozen=True)
class SetObject:
    """One annotated object.

    Attributes:
        id: Its name in the layout.
        label: Its class.
        box: xyxy in pixels.
        mask: Whatever ``instance_regions`` takes for a mask; None for none.
        ignored: Whether it stands for a crowd, which is not occluded.
    """

    id: str
    label: str
    box: tuple[float, ...]
    mask: Any = None
    ignored: bool = False

    def as_instance(self) -> dict:
        """Return it as ``mmocc.OccludeObjects`` wants it."""
        return dict(
            bbox=list(self.box), mask=self.mask, ignore_flag=self.ignored
        )


class Source(ABC):
    """A set of annotated images on disk; small, since each process has one."""

    layout: ClassVar[str]
    image_dir: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """Which part of the set it is."""

    @abstractmethod
    def items(self) -> list[SetItem]:
        """Return all images, in the set's order."""

    @abstractmethod
    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the objects of an image of ``size`` (h, w).

        ValueError, which names the file, if an annotation is damaged or does
        not fit.
        """

    def annotations(
        self, item: SetItem, cell: dict, suffix: str
    ) -> dict[str, bytes]:
        """Return the annotation files that belong to one image of a cell.

        ``cell`` has shares and status of its objects, ``suffix`` is the
        image's.
        """
        return {}

    @abstractmethod
    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the files of a cell that list all its images.

        ``records`` are those of the images, in the set's order.
        """


def read_photo(path: str) -> np.ndarray:
    """Read an image as (H, W, 3) uint8 BGR, or raise ValueError."""
    try:
        with Image.open(path) as photo:
            photo.load()  # OpenCV fills up missing pixels with grey
        image = cv2.imread(path, cv2.IMREAD_COLOR)
    except PICTURE_ERRORS as error:
        raise ValueError(f'{path}: unreadable image ({error})') from error
    if image is None:
        raise ValueError(f'{path}: OpenCV cannot read this image')
    return image


def check_size(
    path: str,
    stated: tuple[int | None, ...] | None,
    size: tuple[int, int],
    where: str,
) -> None:
    """Raise ValueError if an annotation is for an image of another size.

    ``stated`` is (h, w) in the annotation ``where``; None if not stated.
    """
    if stated is None or None in stated or tuple(stated) == tuple(size):
        return
    raise ValueError(
        f'{path}: is {size[1]} x {size[0]} pixels, but {where} is for '
        f'{stated[1]} x {stated[0]}; they do not belong together'
    )
