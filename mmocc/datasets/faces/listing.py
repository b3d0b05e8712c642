"""What the readers of faces share: entries, image files, labels, repeats."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmocc.occlusion.banks import IMAGE_SUFFIXES

_NAMED = 5  # names that a message lists


class Face(NamedTuple):
    """One entry of a list of faces.

    Attributes:
        folder: Folder of the picture.
        file: Name of the picture, with or without its ending.
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS_8`,
            or None for an entry that is to be left out.
        extra: What else the set tells of it: fields of the sample.
    """

    folder: Path
    file: str
    expression: str | None
    extra: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The picture as messages call it."""
        return str(self.folder / self.file)

    @property
    def stem(self) -> str:
        """Name of the picture without its ending."""
        name = Path(self.file)
        return name.stem if is_image(name) else self.file


class ImageIndex:
    """Finds pictures whatever the case and kind of their ending.

    A folder is listed once, when it is first asked for.
    """

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def find(self, face: Face) -> Path | None:
        """Return the picture of an entry, or None.

        It is the file of just that name, else one of the same stem.
        """
        if face.folder not in self._folders:
            paths = list_folder(face.folder)
            stems = {path.stem: path for path in paths}
            names = {path.name: path for path in paths}
            self._folders[face.folder] = stems | names
        known = self._folders[face.folder]
        return known.get(face.file) or known.get(face.stem)


def is_image(path: Path) -> bool:
    """Return whether a file has the ending of a picture, in any case."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def list_folder(folder: Path, deep: bool = False) -> list[Path]:
    """Return the pictures of a folder, sorted; none if there is no folder.

    Args:
        folder: Where to look.
        deep: Also look in the folders below it.
    """
    if not folder.is_dir():
        return []
    found = folder.rglob('*') if deep else folder.iterdir()
    return sorted(path for path in found if is_image(path))


def some(names: Iterable[str]) -> str:
    """Return the first names of many, and how many more there are."""
    names = list(names)
    more = len(names) - _NAMED
    tail = f' and {more} more' if more > 0 else ''
    return ', '.join(names[:_NAMED]) + tail


def locate(
    faces: Sequence[Face], index: ImageIndex
) -> tuple[list[tuple[Face, Path]], list[Face]]:
    """Return the entries with their pictures, and those without one."""
    found = [(face, index.find(face)) for face in faces]
    missing = [face for face, path in found if path is None]
    return [(face, path) for face, path in found if path], missing


def drop_repeated(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Keep the first of entries that name the same picture.

    Returns:
        The entries without repeats, and the repeats.

    Raises:
        ValueError: Two entries give a picture different expressions.
    """
    kept: dict[tuple[Path, str], Face] = {}
    repeats = []
    for face in faces:
        first = kept.setdefault((face.folder, face.file), face)
        if first.expression != face.expression:
            raise ValueError(
                f'{face.name} is listed as {first.expression} and again as '
                f'{face.expression}; correct the list'
            )
        if first is not face:
            repeats.append(face)
    return list(kept.values()), repeats


def name_expression(
    label: Any, class_map: Mapping[Any, str | None], where: str
) -> str | None:
    """Return the expression that a label of a set stands for.

    Args:
        label: As it stands in the file or is the name of a folder.
        class_map: Expressions by label; None for those to leave out.
        where: File, line or folder, for the message.

    Raises:
        ValueError: The map does not have the label.
    """
    if label in class_map:
        return class_map[label]
    remedy = 'add it to class_map (None leaves it out), or correct the file'
    if str(label).isdigit() and not any(str(k).isdigit() for k in class_map):
        remedy = (
            'sets number their expressions in different orders, so say what '
            "each number is: class_map={'0': 'Surprise', ...}"
        )
    raise ValueError(
        f'{where}: unknown expression {label!r}; known are '
        f'{", ".join(map(repr, class_map))}. Remedy: {remedy}'
    )
