"""Images of a single class out of the Pascal VOC layout."""

from pathlib import Path
from typing import Any

from mmocc.datasets.voc_layout import (
    IMAGE_SUFFIXES,
    VOC_CLASSES,
    index_folder,
    parse_voc_xml,
    read_split,
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
        flags = self._read_lists()
        files = index_folder(self.data_root / 'JPEGImages', IMAGE_SUFFIXES)
        images = []
        for img_id in read_split(self.data_root, self.split):
            labels = flags.get(img_id, {})
            if list(labels.values()) != [_PRESENT]:
                continue
            if img_id not in files:
                raise FileNotFoundError(
                    f'{self.data_root / "JPEGImages" / img_id}: no image with '
                    f'one of the endings {", ".join(IMAGE_SUFFIXES)}, though '
                    f'the split {self.split!r} lists it; complete the folder'
                )
            images.append(WSOLImage(img_id, Path(files[img_id]), *labels))
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
        return [i for i in images if len(self._read_xml(i.image_id)) == 1]

    def boxes(self) -> Boxes:
        """Return the boxes of all objects of the images."""
        return gather_boxes(
            (image.image_id, list(box))
            for image in self.images()
            for box in self._read_xml(image.image_id)
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
                    flags.setdefault(img_id, {})[label] = flag
        return flags

    def _read_xml(self, img_id: str) -> list[tuple]:
        """Return the boxes of one annotation, half-open."""
        path = self.data_root / 'Annotations' / f'{img_id}.xml'
        return [item.box for item in parse_voc_xml(path).objects]
