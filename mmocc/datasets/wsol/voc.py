"""Images of a single class out of the Pascal VOC layout."""

from pathlib import Path
from typing import Any

from mmocc.datasets.voc_layout import (
    VOC_CLASSES,
    VOCObject,
    image_id,
    missing_photo,
    read_fitting,
    read_photos,
)
from mmocc.datasets.wsol.reader import (
    Boxes,
    WSOLImage,
    WSOLReader,
    gather_boxes,
    read_pairs,
)

_PRESENT, _ABSENT = '1', '-1'  # 0: there, but difficult


class VOCSingleReader(WSOLReader):
    """The images of a split that show one class.

    Labels come from ``ImageSets/Main/<class>_<split>.txt``, which says for
    each image whether it shows the class, not from the annotations, which
    hold boxes. The image id is the name of the image without its ending.

    Args:
        *args: As in :class:`WSOLReader`: ``data_root`` is a folder such as
            ``VOCdevkit/VOC2007``, ``split`` a list in ``ImageSets/Main``; by
            default, the classes are VOC's 20.
        one_object: With boxes, take only images with one annotated object.
            Training takes also those with several objects of the class, which
            the lists of classes do not distinguish.
    """

    def __init__(self, *args: Any, one_object: bool = True) -> None:
        super().__init__(*args)
        self.classes = self.classes or VOC_CLASSES
        self.one_object = one_object

    def images(self) -> list[WSOLImage]:
        """Return the images that show one class for sure, and no other."""
        flags, images = self._read_lists(), []
        photos = read_photos(self.data_root, self.split)
        for img_id, path in photos.items():
            labels = flags.get(img_id, {})
            if list(labels.values()) != [_PRESENT]:
                continue
            if path is None:
                raise missing_photo(self.data_root, self.split, img_id)
            images.append(WSOLImage(img_id, Path(path), *labels))
        if not images:
            raise ValueError(
                f'{self.data_root}: by the lists in ImageSets/Main, no image '
                f'of the split {self.split!r} shows a single class'
            )
        return images

    def labelled_by_boxes(self) -> list[WSOLImage]:
        """Return these images, or those of them with one object."""
        images = self.images()
        if not self.one_object:
            return images
        return [i for i in images if len(self._read_xml(i)) == 1]

    def boxes(self) -> Boxes:
        """Return the boxes of all objects of the classes in the images."""
        return gather_boxes(
            (image.image_id, list(item.box))
            for image in self.images()
            for item in self._read_xml(image)
            if item.name in (self.classes or ())
        )

    def source(self) -> str:
        """Return the folder of the annotations."""
        return str(self.data_root / 'Annotations')

    def _read_lists(self) -> dict[str, dict[int, str]]:
        """Return, by image, the flag of each label that it may show."""
        flags: dict[str, dict[int, str]] = {}
        for label, name in enumerate(self.classes or ()):
            file = self.data_root / f'ImageSets/Main/{name}_{self.split}.txt'
            pairs = read_pairs(file, 'IMAGE and -1, 0 or 1')
            for img_id, flag in pairs.items():
                if flag != _ABSENT:
                    flags.setdefault(image_id(img_id), {})[label] = flag
        return flags

    def _read_xml(self, image: WSOLImage) -> list[VOCObject]:
        """Return the objects of one annotation, which must fit its photo."""
        path = self.data_root / 'Annotations' / f'{image.image_id}.xml'
        return read_fitting(path, image.path).objects
