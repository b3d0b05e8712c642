"""Reads folders of classes, and tables of pictures and labels."""

import csv
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmocc.datasets.faces.listing import Face, list_folder, name_expression
from mmocc.utils.readable import readable_text

# Columns of five landmarks, x and y in pixels of the picture.
LANDMARKS = tuple(f'{axis}{i}' for i in range(5) for axis in 'xy')


def read_class_folders(
    root: Path, class_map: Mapping[str, str | None]
) -> list[Face]:
    """Read a folder of pictures for each class.

    Args:
        root: Folder of the class folders.
        class_map: Expressions by name of the folder.

    Raises:
        FileNotFoundError: There is no such folder, or none in it.
        ValueError: A folder's name is unknown.
    """
    folders = sorted(p for p in root.glob('*') if p.is_dir())
    if not folders:
        raise FileNotFoundError(
            f'{root}: no folder of a class in it; expected '
            f'{", ".join(map(str, class_map))}'
        )
    return [
        Face(folder, path.name, expression)
        for folder in folders
        for expression in [
            name_expression(folder.name, class_map, str(folder))
        ]
        for path in list_folder(folder)
    ]


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple]:
    """Yield the rows of a CSV file with a header, and where each stands.

    Args:
        path: The file.
        columns: Those that it must have.

    Yields:
        'file, line n', and a dict of the row.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, a row is too short or too long, or
            the file is no CSV in UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such table of labels; correct ann_file, or leave it '
            'out where the classes are folders'
        )
    with (
        readable_text(path),
        path.open(newline='', encoding='utf-8-sig') as file,
    ):
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
    """Read a CSV file of pictures and labels.

    Columns ``subject`` and ``x0``, ``y0`` to ``x4``, ``y4`` are taken along
    where they are.

    Args:
        path: The file; pictures' paths are relative to its folder.
        class_map: Expressions by label.
        path_column: Column of the pictures' paths.
        label_column: Column of the labels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, a label is unknown, or a row is
            damaged; with the line.
    """
    faces = []
    for where, row in read_table(path, (path_column, label_column)):
        name = path.parent / row[path_column]
        expression = name_expression(row[label_column], class_map, where)
        extra = _extra(row, where)
        faces.append(Face(name.parent, name.name, expression, extra))
    return faces


def _extra(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return subject and landmarks of a row, as far as it has them."""
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

    To take the subjects of a range makes a split that is the same wherever
    it is made, and that no subject is on both sides of.
    """
    return zlib.crc32(subject.encode()) / 2**32


def take_subjects(
    faces: list[Face], low: float, high: float, pattern: str | None
) -> list[Face]:
    """Keep the faces of the subjects whose share is in [low, high).

    Args:
        faces: The faces.
        low: See :func:`subject_share`.
        high: See :func:`subject_share`.
        pattern: Regular expression whose first group in the stem of a
            picture's name is the subject; None: the field ``subject``.

    Raises:
        ValueError: A face does not tell its subject.
    """
    kept = []
    for face in faces:
        found = re.match(pattern, face.stem) if pattern else None
        subject = found[1] if found else face.extra.get('subject')
        if subject is None:
            raise ValueError(
                f'{face.name} does not tell its subject; give a column '
                f'subject, or a subject_pattern that fits (now {pattern!r})'
            )
        if low <= subject_share(subject) < high:
            extra = {**face.extra, 'subject': subject}
            kept.append(face._replace(extra=extra))
    return kept
