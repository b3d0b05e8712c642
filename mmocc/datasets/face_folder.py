"""Faces in folders of classes, or listed in a table."""

from collections.abc import Mapping
from typing import Any

from mmocc.datasets.face_dataset import FaceDataset
from mmocc.datasets.faces.folders import (
    read_class_folders,
    read_labelled,
    take_subjects,
)
from mmocc.datasets.faces.listing import Face
from mmocc.registry import DATASETS


@DATASETS.register_module()
class FaceFolder(FaceDataset):
    """Faces in ``data_root/<class>/*.jpg``, or listed in a CSV file.

    What a label means is never guessed: where folders or labels are not
    called as the classes are, ``class_map`` says what each of them is. See
    :class:`FaceDataset` for what a sample holds.

    Args:
        data_root: Folder of the class folders, or what ``ann_file`` is
            relative to.
        ann_file: CSV file with a header, whose paths are relative to its own
            folder; None for class folders. Columns ``subject`` and ``x0, y0,
            ..., x4, y4`` (five landmarks in pixels) are taken along.
        class_map: Expression (or None, to leave it out) by name of the
            folder or label, as text. None: the classes' own names.
        path_column: Column of the pictures' paths.
        label_column: Column of the labels.
        subjects: Part of the subjects to take, as two numbers of 0 to 1:
            ``(0, 0.8)`` for training and ``(0.8, 1)`` for the test make a
            split by subjects of a set without one. None takes all.
        subject_pattern: Regular expression whose first group in a picture's
            name, without ending, is its subject; None: the column
            ``subject``.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: ``class_map`` has an expression that is not a class, or
            ``subjects`` is no part of 0 to 1.
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
        """Return what the folders or the table name."""
        classes = self.metainfo['classes']
        class_map = self.class_map or {name: name for name in classes}
        odd = {name for name in class_map.values() if name} - {*classes}
        if odd:
            raise ValueError(
                f'class_map gives {", ".join(sorted(odd))}, not among the '
                f'classes {", ".join(classes)}; correct it, give `classes`, '
                'or map to None'
            )
        if self.table is None:
            faces = read_class_folders(self.root, class_map)
        else:
            path = self.root / self.table
            faces = read_labelled(path, class_map, *self.columns)
        if self.subjects is None:
            return faces
        return take_subjects(faces, *self.subjects, self.subject_pattern)
