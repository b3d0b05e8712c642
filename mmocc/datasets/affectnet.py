"""AffectNet with seven or eight expressions, in both of its releases."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from mmocc.datasets.face_dataset import (
    Face,
    FaceDataset,
    check_subset,
    drop_repeated,
    read_class_folders,
    take_subset,
)
from mmocc.datasets.lists import check_choice, read_lines
from mmocc.datasets.transforms.align_face import five_points
from mmocc.registry import DATASETS
from mmocc.utils.expressions import (
    AFFECTNET_LABELS,
    EXPRESSIONS,
    EXPRESSIONS_8,
)
from mmocc.utils.files import expand, list_images, open_text
from mmocc.utils.npz_reader import parse_npy

SPLITS = ('train', 'val')
RELEASES = ('new', 'old', 'folders')
SUBSETS = dict(
    occlusion='occlusion_affectnet_list.txt',
    pose30='pose_30_affectnet_list.txt',
    pose45='pose_45_affectnet_list.txt',
)
# None, uncertain, no face: left out.
_NO_EXPRESSION: dict[int, str | None] = dict.fromkeys((8, 9, 10))
_COLUMNS = (
    'subDirectory_filePath', 'face_x', 'face_y', 'face_width', 'face_height',
    'facial_landmarks', 'expression', 'valence', 'arousal',
)  # fmt: skip


def read_affectnet(
    root: Path, split: str, release: str, contempt: bool
) -> list[Face]:
    """Read one split of AffectNet.

    Args:
        root: Folder of the set.
        split: ``train`` or ``val``, which is used as the test.
        release: ``new`` for ``train_set/{images,annotations}``, ``old`` for
            ``Manually_Annotated_Images`` and ``training.csv``, ``folders`` for
            ``train/0`` to ``train/7``.
        contempt: Whether contempt is one of the expressions; else its entries
            have none.

    Raises:
        FileNotFoundError: The release's files are not there.
        ValueError: A label or an argument is wrong.
    """
    check_choice('split', split, SPLITS)
    check_choice('release', release, RELEASES)
    names: dict[int, str | None] = {**AFFECTNET_LABELS, **_NO_EXPRESSION}
    if not contempt:
        names[7] = None
    if release == 'new':
        return _read_new(root / f'{split}_set', names)
    if release == 'old':
        return _read_old(root, split, names)
    folders = {str(label): name for label, name in names.items()}
    return read_class_folders(root / split, folders)


def _name(label: int, names: dict[int, str | None], where: str) -> str | None:
    """Return the expression of a label; ValueError if it is unknown."""
    if label not in names:
        raise ValueError(
            f'{where}: unknown expression {label}; AffectNet has 0 to 10'
        )
    return names[label]


def _read_new(root: Path, names: dict[int, str | None]) -> list[Face]:
    """Read ``images/ID.jpg`` with ``annotations/ID_exp.npy``."""
    pictures = list_images(root / 'images')
    if not pictures:
        raise FileNotFoundError(
            f'{root / "images"}: no picture in it; data_root must hold the '
            "release of train_set and val_set, or give release='old'"
        )
    faces = []
    for path in pictures:
        file = root / 'annotations' / f'{path.stem}_exp.npy'
        try:
            label = int(parse_npy(file.read_bytes()).item())
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{file}: no label of {path}; complete the folder'
            ) from error
        except Exception as error:  # a broken header raises anything
            raise ValueError(f'{file}: not one label ({error})') from error
        expression = _name(label, names, str(file))
        faces.append(Face(path.parent, path.name, expression))
    return faces


def _read_old(
    root: Path, split: str, names: dict[int, str | None]
) -> list[Face]:
    """Read ``training.csv`` or ``validation.csv``, with or without header."""
    path = root / {'train': 'training.csv', 'val': 'validation.csv'}[split]
    folder = root / 'Manually_Annotated_Images'
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such list; data_root must hold the release of '
            "Manually_Annotated_Images, or give release='new'"
        )
    faces = []
    with open_text(path) as file:
        rows = csv.reader(file)
        for row in rows:
            where = f'{path}, line {rows.line_num}'
            if row and row[0] != _COLUMNS[0]:
                faces.append(_old_face(row, folder, names, where))
    return faces


def _old_face(
    row: list[str], folder: Path, names: dict[int, str | None], where: str
) -> Face:
    """Return the entry of one row; without an expression, only its name."""
    path = folder / row[0].strip()
    try:
        fields = dict(zip(_COLUMNS, row, strict=True))
        expression = _name(int(fields['expression']), names, where)
        if int(fields['expression']) in _NO_EXPRESSION:
            return Face(path.parent, path.stem, None)
        x, y, width, height = (float(fields[name]) for name in _COLUMNS[1:5])
        points = [float(v) for v in fields['facial_landmarks'].split(';')]
        if not np.isfinite([x + width, y + height, x, y, *points]).all():
            raise ValueError('a number is not finite')
    except ValueError as error:
        raise ValueError(
            f'{where}: does not parse ({error}); a line must be '
            f'{",".join(_COLUMNS)}'
        ) from error
    extra = dict(face_box=[x, y, x + width, y + height])
    if len(points) == 136:
        extra['landmarks'] = five_points(np.reshape(points, (68, 2))).tolist()
    return Face(path.parent, path.stem, expression, extra)


def read_subset(path: Path) -> list[Face]:
    """Read a list of RAN's, with AffectNet's labels; each name once.

    Lines are ``val/5/<name>/``, ``5/<name>.jpg`` or ``5/<name>/8.jpg``.
    ValueError if a line is wrong, or a name has two expressions.
    """

    def parse(line: str) -> Face:
        label, name, *_ = line.strip().removeprefix('val/').split('/')
        if not name:
            raise ValueError('no name')
        return Face(path.parent, Path(name).stem, AFFECTNET_LABELS[int(label)])

    return drop_repeated(list(read_lines(path, parse, 'LABEL/NAME')))[0]


@DATASETS.register_module()
class AffectNet(FaceDataset):
    """AffectNet's hand-labelled faces.

    Its files number 0 Neutral, 1 Happy, 2 Sad, 3 Surprise, 4 Fear, 5 Disgust,
    6 Anger, 7 Contempt. Labels of this data set are in RAF-DB's order, with
    Contempt last. Entries without an expression (8 to 10) are left out and
    counted. Samples of the old release are whole photos with ``face_box``
    (xyxy in pixels) and ``landmarks``. Subsets are parts of val, by RAN's
    lists, which have the names of the old release.

    Args:
        data_root: Folder of AffectNet; see ``docs/faces.md``.
        split: ``train`` or ``val``; the test set is not public.
        release: ``new``, ``old`` or ``folders``.
        num_classes: 8, or 7 to leave out and count contempt.
        subset: None for all; ``occlusion``, ``pose30`` or ``pose45``.
        subset_file: The subset's list in ``data_root``; None: RAN's name.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: The value of an argument is unknown.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        release: str = 'new',
        num_classes: int = 7,
        subset: str | None = None,
        subset_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('num_classes', num_classes, (7, 8))
        check_subset(subset, SUBSETS, split, 'val')
        self.split, self.release, self.subset = split, release, subset
        self.contempt = num_classes == 8
        self.subset_file = subset_file
        classes = EXPRESSIONS_8 if self.contempt else EXPRESSIONS
        super().__init__(data_root, **{'classes': classes, **kwargs})

    def read_faces(self) -> list[Face]:
        """Return the entries of the split, or of its subset."""
        faces = read_affectnet(
            self.root, self.split, self.release, self.contempt
        )
        if self.subset is None:
            return faces
        path = self.root / expand(self.subset_file or SUBSETS[self.subset])
        remedy = 'complete the set'
        if all(face.stem.isdigit() for face in faces):
            remedy = (
                'the list has names of the old release, the set those of the '
                "new one, and no map between them is known; use release='old'"
            )
        listed = read_subset(path)
        return take_subset(faces, listed, path, remedy, "AffectNet's")
