"""A folder of images for each class (torchvision's ImageFolder)."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import ClassVar

from mmocc.occluded_sets.sources import SetItem, SetObject, Source
from mmocc.utils.files import expand, list_folders, list_images, some


@dataclass(frozen=True)
class ImageFolderSource(Source):
    """A folder with a folder of images for each class.

    Nothing tells the object from its background: a level is a share of the
    whole image, as in a report on such a folder, and the occlusions are the
    very ones of the report.

    Attributes:
        root: The folder.
        classes: Names of the folders to take; None for all.
    """

    root: Path
    classes: tuple[str, ...] | None = None
    layout: ClassVar[str] = 'imagefolder'
    image_dir: ClassVar[str] = 'images'
    whole: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """The classes that are taken, if not all."""
        return ', '.join(self.classes or ()) or 'all classes'

    def items(self) -> list[SetItem]:
        """Return the images of all classes; see the base class.

        Raises:
            FileNotFoundError: There is no such folder.
            ValueError: It has images beside its folders, a class is not
                there, or one has no image.
        """
        root = expand(self.root)
        if not root.is_dir():
            raise FileNotFoundError(
                f'{root} is not a folder; name one that holds a folder of '
                'images for each class'
            )
        if beside := list_images(root):
            raise ValueError(
                f'{beside[0]}: an image beside the folders of classes; move '
                'it into the folder of its class'
            )
        return [
            _item(root, path)
            for name in self._chosen(root)
            for path in _images_of(root / name)
        ]

    def objects(self, item: SetItem, size: tuple[int, int]) -> list[SetObject]:
        """Return the whole image as its one object; see the base class."""
        box = (0.0, 0.0, float(size[1]), float(size[0]))
        return [SetObject('1', _class_of(item.name), box, whole=True)]

    def lists(
        self, name: str, suffix: str, records: Iterable[dict]
    ) -> dict[str, bytes]:
        """Return the names of the classes and the label of each image.

        Labels are places in the sorted names, as torchvision counts them.
        """
        names = [record['name'] for record in records]
        classes = sorted({_class_of(name) for name in names})
        sheet = StringIO(newline='')
        rows = csv.writer(sheet, lineterminator='\n')
        rows.writerow(['image', 'label', 'class'])
        for name in names:
            label = classes.index(_class_of(name))
            rows.writerow([name + suffix, label, classes[label]])
        return {
            'classes.txt': ''.join(f'{name}\n' for name in classes).encode(),
            'labels.csv': sheet.getvalue().encode(),
        }

    def _chosen(self, root: Path) -> list[str]:
        """Return the names of the classes to take, sorted."""
        known = [folder.name for folder in list_folders(root)]
        wanted = known if self.classes is None else self.classes
        lost = [name for name in wanted if name not in known]
        if lost or not wanted:
            raise ValueError(
                f'{root} has no folder of the class {", ".join(lost) or "-"}; '
                f'it has {some(known) or "no folder at all"}'
            )
        return sorted(set(wanted))


def _images_of(folder: Path) -> list[Path]:
    """Return the images of a class; ValueError if there is none."""
    images = list_images(folder, deep=True)
    if not images:
        raise ValueError(
            f'{folder} holds no image; remove the folder, or name the classes '
            'to take with --classes'
        )
    return images


def _item(root: Path, path: Path) -> SetItem:
    """Return an image to occlude, known by its path below the folder."""
    below = path.relative_to(root)
    return SetItem(
        below.with_suffix('').as_posix(),
        str(path),
        identity=below.as_posix(),
    )


def _class_of(name: str) -> str:
    """Return the class of an image: its first folder."""
    return name.partition('/')[0]
