"""Images of a single class out of the Pascal VOC layout."""

from collections.abc import Sequence
from pathlib import Path

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
    each image whether it shows the class; the annotations, which hold boxes,
    stay shut. The image id is the name of the image without its ending.

    Args:
        data_root: Folder with ``Annotations``, ``JPEGImages`` and
            ``ImageSets``, such as ``VOCdevkit/VOC2007``.
        split: Name of a list in ``ImageSets/Main``.
        classes: Names by label; None for VOC's 20.
        one_object: With boxes, take only images with one annotated object.
            Lists of classes cannot tell these from images with several
            objects of the class, so that training takes both.
    """

    def __init__(
        self,
        data_root: Path,
        split: str,
        classes: Sequence[str] | None = None,
        one_object: bool = True,
    ) -> None:
        super().__init__(data_root, split, classes or VOC_CLASSES)
        self.one_object = one_object

    def images(self) -> list[WSOLImage]:
        """Return the images of which one class alone is said to be there.

        Raises:
            FileNotFoundError: If a list or an image does not exist.
            ValueError: If no image shows a single class.
        """
        seen = self._read_lists()
        files = index_folder(self.data_root / 'JPEGImages', IMAGE_SUFFIXES)
        images = []
        for img_id in read_split(self.data_root, self.split):
            shown = seen.get(img_id, {})
            if list(shown.values()) != [_PRESENT]:
                continue
            if img_id not in files:
                raise FileNotFoundError(
                    f'{self.data_root / "JPEGImages" / img_id}: no image with '
                    f'one of the endings {", ".join(IMAGE_SUFFIXES)}, though '
                    f'the split {self.split!r} lists it; complete the folder'
                )
            images.append(WSOLImage(img_id, Path(files[img_id]), *shown))
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
        """Return, by image, the labels it shows, and whether for sure."""
        seen = {}
        for label, name in enumerate(self.classes):
            file = f'ImageSets/Main/{name}_{self.split}.txt'
            form = 'IMAGE and -1, 0 or 1'
            pairs = read_pairs(self.data_root / file, form)
            for img_id, flag in pairs.items():
                if flag != _ABSENT:
                    seen.setdefault(img_id, {})[label] = flag
        return seen

    def _read_xml(self, img_id: str) -> list[tuple]:
        """Return the boxes of one annotation, half-open."""
        path = self.data_root / 'Annotations' / f'{img_id}.xml'
        return [item.box for item in parse_voc_xml(path).objects]
