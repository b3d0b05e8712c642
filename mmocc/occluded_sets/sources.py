"""What the generator asks of a layout, and what layouts share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from mmocc.utils.photos import read_shown
from mmocc.utils.readable import PICTURE_ERRORS

MASK_DIR = 'OcclusionMasks'
EMPTY_MASK = 'box (empty mask)'


@dataclass(frozen=True)
class SetItem:
    """One image to occlude.

    Attributes:
        name: Its unique path below the image folder, without an ending.
        path: The image file.
        files: Further files that the result depends on.
        detail: What else the layout knows: JSON, without absolute paths.
        hint: What a message adds if the image is missing.
        identity: What its occlusions are keyed on; the name if it is empty.
    """

    name: str
    path: str
    files: tuple[str, ...] = ()
    detail: Any = None
    hint: str = ''
    identity: str = ''


@dataclass(frozen=True)
class SetObject:
    """One annotated object.

    Attributes:
        id: Its name in the layout.
        label: Its class.
        box: xyxy in pixels.
        mask: Whatever ``instance_regions`` takes for a mask; None for none.
        whole: Whether it is all of the image, since nothing is annotated.
        ignored: Whether it stands for a crowd, which is not occluded.
        empty_mask: Whether it has a mask without a pixel, so that its box is
            taken.
    """

    id: str
    label: str
    box: tuple[float, ...]
    mask: Any = None
    ignored: bool = False
    empty_mask: bool = False
    whole: bool = False

    @property
    def region(self) -> str:
        """What is occluded, in words of ``objects.csv``."""
        if self.mask is not None:
            return 'mask'
        if self.whole:
            return 'image'
        return EMPTY_MASK if self.empty_mask else 'box'

    def as_instance(self) -> dict:
        """Return it as ``mmocc.OccludeObjects`` wants it."""
        return dict(
            bbox=list(self.box), mask=self.mask, ignore_flag=self.ignored
        )


class Source(ABC):
    """A set of annotated images on disk; small, since each process has one."""

    layout: ClassVar[str]
    image_dir: ClassVar[str]
    whole: ClassVar[bool] = False  # images without annotated objects

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
        image = read_shown(path)
    except PICTURE_ERRORS as error:
        raise ValueError(f'{path}: unreadable image ({error})') from error
    if image is None:
        raise ValueError(f'{path}: OpenCV cannot read this image')
    return image
