"""Faces in folders of classes, or listed in a table."""

import csv
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmocc.datasets.face_dataset import (
    Face,
    FaceDataset,
    name_expression,
    read_class_folders,
)
from mmocc.registry import DATASETS
from mmocc.utils.files import expand, open_text

# Columns of five landmarks, x and y in pixels of the picture.
LANDMARKS = tuple(f'{axis}{i}' for i in range(5) for axis in 'xy')


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple]:
    """Yield 'file, line n' and a dict for each row of a CSV file.

    Args:
        path: The file, with a header.
        columns: Those that it must have.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, a row is too short or too long, or the
            file is no CSV in UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such table of labels; correct ann_file, or leave it '
            'out where the classes are folders'
        )
    with open_text(path) as file:
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise ValueError(
                f'{path}: no column {", ".join(lacking)}; it has '
                f'{", ".join(header) or "no header"}; name the columns by '
                'path_column and label_column'
            )
        for row in rows:
            where = f'{path}, line {rows.line_num}'
            if len(row) not in (0, len(header)):
                raise ValueError(
                    f'{where}: {len(row)} fields, but the header has '
                    f'{len(header)}; correct the line'
                )
            if row:
                fields = (field.strip() for field in row)
                yield where, dict(zip(header, fields, strict=True))


def read_labelled(
    path: Path,
    class_map: Mapping[str, str | None],
    path_column: str = 'path',
    label_column: str = 'expression',
) -> list[Face]:
    """Read a CSV file of pictures and labels; errors as in :func:`read_table`.

    It also reads the columns ``subject`` and ``x0``, ``y0`` to ``x4``, ``y4``.

    Args:
        path: The file; paths of pictures are relative to its folder.
        class_map: Expressions by label.
        path_column: Column of the paths.
        label_column: Column of the labels.
    """
    faces = []
    for where, row in read_table(path, (path_column, label_column)):
        name = path.parent / row[path_column]
        expression = name_expression(row[label_column], class_map, where)
        extra = _extra(row, where)
        faces.append(Face(name.parent, name.name, expression, extra))
    return faces


def _extra(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the subject and landmarks of a row, if it has them."""
    extra: dict[str, Any] = {}
    if 'subject' in row:
        extra['subject'] = row['subject']
    if all(row.get(name) for name in LANDMARKS):
        try:
            values = [float(row[name]) for name in LANDMARKS]
            if not all(map(math.isfinite, values)):
                raise ValueError('one is not finite')
        except ValueError as error:
            raise ValueError(
                f'{where}: landmarks must be numbers ({error}); correct them'
            ) from error
        extra['landmarks'] = [values[i : i + 2] for i in range(0, 10, 2)]
    return extra


def subject_share(subject: str) -> float:
    """Return a number in [0, 1) that the name of a subject determines.

    A range of them is a split that never divides a subject.
    """
    return zlib.crc32(subject.encode()) / 2**32


def take_subjects(
    faces: list[Face], low: float, high: float, pattern: str | None
) -> list[Face]:
    """Keep the faces of subjects with a :func:`subject_share` in [low, high).

    Args:
        faces: The faces.
        low: From this share on.
        high: Below this share.
        pattern: Regular expression whose first group in the stem of a
            picture's name is the subject; None: the field ``subject``.
            ValueError if neither gives one.
    """
    chosen = []
    for face in faces:
        match = re.match(pattern, face.stem) if pattern else None
        subject = match[1] if match else face.extra.get('subject')
        if subject is None:
            raise ValueError(
                f'{face.name} does not tell its subject; give a column '
                f'subject, or a subject_pattern that fits (now {pattern!r})'
            )
        if low <= subject_share(subject) < high:
            extra = {**face.extra, 'subject': subject}
            chosen.append(face._replace(extra=extra))
    return chosen


@DATASETS.register_module()
class FaceFolder(FaceDataset):
    """Faces in ``data_root/<class>/*.jpg``, or listed in a CSV file.

    It never guesses the meaning of a label: if folders or labels differ from
    the names of the classes, ``class_map`` must name each of them. See
    :class:`FaceDataset` for the fields of a sample.

    Args:
        data_root: Folder of the class folders, or of ``ann_file``.
        ann_file: CSV file with a header, in ``data_root``; its paths are
            relative to its folder. It may have columns ``subject`` and ``x0,
            y0, ..., x4, y4`` (five landmarks in pixels). None: class folders.
        class_map: Expression of each folder or label (as text); None leaves
            it out. Without a map these are the names of the classes.
        path_column: Column of the paths.
        label_column: Column of the labels.
        subjects: Part of the subjects, as two numbers from 0 to 1: ``(0,
            0.8)`` for training and ``(0.8, 1)`` for the test split a set by
            subjects. None takes all.
        subject_pattern: Regular expression whose first group in a picture's
            name, without ending, is its subject; None: the column
            ``subject``.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: ``class_map`` has an expression that is not a class, or
            ``subjects`` is not a part of 0 to 1.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str | None = None,
        class_map: Mapping[str, str | None] | None = None,
        path_column: str = 'path',
        label_column: str = 'expression',
        subjects: tuple[float, float] | None = None,
        subject_pattern: str | None = None,
        **kwargs: Any,
    ) -> None:
        if subjects is not None and not 0 <= subjects[0] < subjects[1] <= 1:
            raise ValueError(
                f'subjects is {subjects}; it must be a part of 0 to 1, such '
                'as (0, 0.8)'
            )
        self.table = ann_file
        self.class_map = class_map
        self.columns = (path_column, label_column)
        self.subjects, self.subject_pattern = subjects, subject_pattern
        super().__init__(data_root, **kwargs)

    def read_faces(self) -> list[Face]:
        """Return the entries of the folders or of the table."""
        classes = self.metainfo['classes']
        class_map = self.class_map or {name: name for name in classes}
        unknown = {name for name in class_map.values() if name} - {*classes}
        if unknown:
            raise ValueError(
                f'class_map gives {", ".join(sorted(unknown))}, not among the '
                f'classes {", ".join(classes)}; correct it, give `classes`, '
                'or map to None'
            )
        if self.table is None:
            faces = read_class_folders(self.root, class_map)
        else:
            path = self.root / expand(self.table)
            faces = read_labelled(path, class_map, *self.columns)
        if self.subjects is None:
            return faces
        return take_subjects(faces, *self.subjects, self.subject_pattern)
