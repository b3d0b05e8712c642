"""What data sets of faces share: entries, lists, folders, the base class."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmocc.datasets.lists import check_choice, class_names
from mmocc.utils.expressions import EXPRESSIONS
from mmocc.utils.files import (
    expand,
    is_image,
    list_classes,
    list_images,
    some,
)


class Face(NamedTuple):
    """One entry of a list of faces.

    Attributes:
        folder: Folder of the picture.
        file: Name of the picture, with or without its ending.
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS_8`;
            None leaves the entry out.
        extra: Other fields of the sample that the set gives.
    """

    folder: Path
    file: str
    expression: str | None
    extra: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The picture as messages name it."""
        return str(self.folder / self.file)

    @property
    def stem(self) -> str:
        """Name of the picture without its ending."""
        name = Path(self.file)
        return name.stem if is_image(name) else self.file


class ImageIndex:
    """Finds pictures whatever the case and kind of their ending."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def find(self, face: Face) -> Path | None:
        """Return the picture of an entry, or None; each folder is listed once.

        It is the file of exactly this name, else one of the same stem.
        """
        if face.folder not in self._folders:
            paths = list_images(face.folder)
            stems = {path.stem: path for path in paths}
            names = {path.name: path for path in paths}
            self._folders[face.folder] = stems | names
        known = self._folders[face.folder]
        return known.get(face.file) or known.get(face.stem)


def drop_repeated(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Return entries without repeats of a picture, and the repeats.

    ValueError if two entries give a picture different expressions.
    """
    unique: dict[tuple[Path, str], Face] = {}
    repeats = []
    for face in faces:
        first = unique.setdefault((face.folder, face.file), face)
        if first.expression != face.expression:
            raise ValueError(
                f'{face.name} is listed as {first.expression} and again as '
                f'{face.expression}; correct the list'
            )
        if first is not face:
            repeats.append(face)
    return list(unique.values()), repeats


def name_expression(
    label: Any, class_map: Mapping[Any, str | None], where: str
) -> str | None:
    """Return the expression of a label; ValueError if the map lacks it.

    Args:
        label: Text of a file, or name of a folder.
        class_map: Expressions by label; None leaves a label out.
        where: File, line or folder, for the message.
    """
    if label in class_map:
        return class_map[label]
    remedy = 'add it to class_map (None leaves it out), or correct the file'
    if str(label).isdigit() and not any(str(k).isdigit() for k in class_map):
        remedy = (
            'data sets number their expressions in different orders; give '
            "the meaning of each number: class_map={'0': 'Surprise', ...}"
        )
    raise ValueError(
        f'{where}: unknown expression {label!r}; known are '
        f'{", ".join(map(repr, class_map))}. Remedy: {remedy}'
    )


def read_class_folders(
    root: Path, class_map: Mapping[str, str | None]
) -> list[Face]:
    """Read a folder of pictures for each class.

    Args:
        root: Folder of the class folders.
        class_map: Expressions by name of the folder.

    Raises:
        FileNotFoundError: There is no folder of a class.
        ValueError: The name of a folder is unknown.
    """
    classes = list_classes(root)
    if not classes:
        raise FileNotFoundError(
            f'{root}: no folder of a class in it; expected '
            f'{", ".join(map(str, class_map))}'
        )
    faces = []
    for folder, paths in classes:
        name = name_expression(folder.name, class_map, str(folder))
        faces += [Face(folder, path.name, name) for path in paths]
    return faces


def take_subset(
    faces: list[Face], listed: list[Face], path: Path, remedy: str, labels: str
) -> list[Face]:
    """Return the entries of a split that a list names, in the list's order.

    They get the list's ``extra`` too. Names are compared without the
    ``_aligned`` of RAF-DB.

    Args:
        faces: Entries of the split.
        listed: Entries of the list; ValueError if the split lacks one, or
            gives it another expression.
        path: The list, for messages.
        remedy: What to do if the split lacks names.
        labels: How the list must label the expressions, for messages.
    """
    known = {face.stem.removesuffix('_aligned'): face for face in faces}
    names = [face.stem.removesuffix('_aligned') for face in listed]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f'{path}: {len(unknown)} of {len(names)} entries are not in the '
            f'split of the subset: {some(unknown)}; {remedy}'
        )
    pairs = [(known[n], face) for n, face in zip(names, listed, strict=True)]
    wrong = [
        f'{ours.stem} ({theirs.expression}, in the set {ours.expression})'
        for ours, theirs in pairs
        if ours.expression not in (None, theirs.expression)
    ]
    if wrong:
        raise ValueError(
            f'{path}: {len(wrong)} of {len(names)} expressions are not those '
            f'of the set: {some(wrong)}; its labels must be {labels}'
        )
    return [a._replace(extra={**a.extra, **b.extra}) for a, b in pairs]


def check_subset(
    subset: str | None, known: Iterable[str], split: str, whole: str
) -> None:
    """Raise ValueError for an unknown subset, or one of another split."""
    check_choice('subset', subset, (None, *known))
    if subset and split != whole:
        raise ValueError(
            f'subset {subset!r} is a part of the {whole} split, not of '
            f'{split!r}; give split={whole!r}'
        )


class FaceDataset(BaseDataset):
    """Pictures of faces with an expression each.

    Labels are places in ``classes``: RAF-DB's order, whatever the order of
    the set's own labels, so that you can join sets and exchange models. A
    sample has ``img_path``, ``gt_label``, and if the set gives them
    ``subject`` (str) and ``landmarks`` ((5, 2) list of x and y in pixels of
    the file: the picture's left and right eye, tip of the nose, left and
    right corner of the mouth).

    Args:
        data_root: Folder of the set.
        allow_missing: Leave out entries without a picture, and log them;
            otherwise they are an error.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``classes``
            (another order, or with Contempt), ``pipeline`` and so on.

    Raises:
        FileNotFoundError: Lists or pictures are missing.
        ValueError: A label is unknown, an expression is not among the
            classes, a repeated entry has another label, or nothing is left.
    """

    METAINFO = {'classes': EXPRESSIONS}

    def __init__(
        self, data_root: str, allow_missing: bool = False, **kwargs: Any
    ) -> None:
        self.root = expand(data_root)
        self.allow_missing = allow_missing
        kwargs['classes'] = class_names(kwargs.get('classes'))
        super().__init__(ann_file='', **kwargs)

    @abstractmethod
    def read_faces(self) -> list[Face]:
        """Return the entries of the chosen part of the set."""

    def load_data_list(self) -> list[dict]:
        """Read the entries, find their pictures, and log the numbers."""
        faces, repeats = drop_repeated(self.read_faces())
        wanted = [face for face in faces if face.expression is not None]
        index = ImageIndex()
        located = [(face, index.find(face)) for face in wanted]
        missing = [face for face, path in located if path is None]
        if missing and not self.allow_missing:
            raise FileNotFoundError(
                f'{type(self).__name__}: {len(missing)} of {len(wanted)} '
                f'pictures are missing: {some(f.name for f in missing)}; '
                'complete the folder, or give allow_missing=True'
            )
        samples = [
            dict(img_path=str(path), gt_label=self._label(face), **face.extra)
            for face, path in located
            if path
        ]
        left_out = {
            'repeated': repeats,
            'of other classes': [f for f in faces if f.expression is None],
            'missing': missing,
        }
        self._report(samples, left_out)
        return samples

    def _label(self, face: Face) -> int:
        """Return the place of an entry's expression among the classes."""
        classes = self.metainfo['classes']
        if face.expression not in classes:
            raise ValueError(
                f'{face.name} shows {face.expression!r}, which is not among '
                f'the classes {", ".join(classes)}; give `classes` with it, '
                'or leave it out by a class_map'
            )
        return classes.index(face.expression)

    def _report(
        self, samples: list[dict], left_out: dict[str, list[Face]]
    ) -> None:
        """Log the number of samples by class, and what was left out."""
        omitted = '; '.join(
            f'{len(faces)} {why} left out ({some(f.name for f in faces)})'
            for why, faces in left_out.items()
            if faces
        )
        name = f'{type(self).__name__} ({self.root})'
        if not samples:
            raise ValueError(f'{name}: no picture is left. {omitted}')
        classes = self.metainfo['classes']
        counts = Counter(classes[s['gt_label']] for s in samples)
        parts = ', '.join(f'{c} {counts[c]}' for c in classes)
        print_log(
            f'{name}: {len(samples)} faces: {parts}'
            f'{"; " if omitted else ""}{omitted}',
            logger='current',
        )

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to those of mmpretrain."""
        return [f'Root: \t{self.root}']
