"""Reads AffectNet in both of its releases, and RAN's lists of parts of it."""

import csv
from pathlib import Path

import numpy as np

from mmocc.datasets.faces.folders import read_class_folders
from mmocc.datasets.faces.landmarks import five_points
from mmocc.datasets.faces.listing import Face, list_folder, some
from mmocc.datasets.lists import check_choice, read_lines
from mmocc.utils.expressions import AFFECTNET_LABELS
from mmocc.utils.npz_reader import parse_npy
from mmocc.utils.readable import readable_text

SPLITS = ('train', 'val')
RELEASES = ('new', 'old', 'folders')
SUBSETS = dict(
    occlusion='occlusion_affectnet_list.txt',
    pose30='pose_30_affectnet_list.txt',
    pose45='pose_45_affectnet_list.txt',
)
# None, uncertain, no face: left out.
_NO_EXPRESSION = dict.fromkeys((8, 9, 10))
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
        split: ``train`` or ``val``, which serves as the test.
        release: ``new`` for ``train_set/{images,annotations}``, ``old`` for
            ``Manually_Annotated_Images`` and ``training.csv``, ``folders``
            for ``train/0`` to ``train/7``.
        contempt: Whether contempt is one of the expressions; otherwise its
            entries have none.

    Raises:
        FileNotFoundError: The release's files are not there.
        ValueError: A label or an argument is wrong.
    """
    check_choice('split', split, SPLITS)
    check_choice('release', release, RELEASES)
    names = {**AFFECTNET_LABELS, **_NO_EXPRESSION}
    if not contempt:
        names[7] = None
    if release == 'new':
        return _read_new(root / f'{split}_set', names)
    if release == 'old':
        return _read_old(root, split, names)
    folders = {str(label): name for label, name in names.items()}
    return read_class_folders(root / split, folders)


def _name(label: int, names: dict[int, str | None], where: str) -> str | None:
    """Return the expression of a label; ValueError if it is none."""
    if label not in names:
        raise ValueError(
            f'{where}: unknown expression {label}; AffectNet has 0 to 10'
        )
    return names[label]


def _read_new(root: Path, names: dict[int, str | None]) -> list[Face]:
    """Read ``images/ID.jpg`` with ``annotations/ID_exp.npy``."""
    pictures = list_folder(root / 'images')
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
    with (
        readable_text(path),
        path.open(newline='', encoding='utf-8') as file,
    ):
        rows = csv.reader(file)
        for row in rows:
            where = f'{path}, line {rows.line_num}'
            if row and row[0] != _COLUMNS[0]:
                faces.append(_old_face(row, folder, names, where))
    return faces


def _old_face(
    row: list[str], folder: Path, names: dict[int, str | None], where: str
) -> Face:
    """Return the entry of one row; without an expression, nothing more."""
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


def read_subset(path: Path) -> dict[str, str]:
    """Read a list of RAN's: expressions by the pictures' names.

    Lines are ``val/5/<name>/``, ``5/<name>.jpg`` or ``5/<name>/8.jpg``;
    labels are AffectNet's. A name that the list repeats counts once.

    Args:
        path: The list.

    Raises:
        ValueError: A line is wrong, or a name has two expressions.
    """

    def parse(line: str) -> tuple[str, str]:
        label, name, *_ = line.strip().removeprefix('val/').split('/')
        if not name:
            raise ValueError('no name')
        return Path(name).stem, AFFECTNET_LABELS[int(label)]

    found: dict[str, str] = {}
    for name, expression in read_lines(path, parse, 'LABEL/NAME'):
        if found.setdefault(name, expression) != expression:
            raise ValueError(
                f'{path}: {name} is listed as {found[name]} and again as '
                f'{expression}; remove one of the lines'
            )
    return found


def take_subset(
    faces: list[Face], listed: dict[str, str], path: Path
) -> list[Face]:
    """Return the entries that a list names.

    Args:
        faces: Entries of the val split.
        listed: Expressions by name.
        path: The list, for messages.

    Raises:
        ValueError: The set lacks the names, or has other expressions.
    """
    known = {face.stem: face for face in faces}
    lacking = [name for name in listed if name not in known]
    if lacking:
        remedy = 'complete the set'
        if all(stem.isdigit() for stem in known):
            remedy = (
                'the list has names of the old release, the set those of the '
                "new one, and no map between them is known; use release='old'"
            )
        raise ValueError(
            f'{path}: {len(lacking)} of {len(listed)} names are not in the '
            f'val split: {some(lacking)}; {remedy}'
        )
    wrong = [
        f'{name} ({listed[name]}, in the set {known[name].expression})'
        for name in listed
        if known[name].expression not in (None, listed[name])
    ]
    if wrong:
        raise ValueError(
            f'{path}: {len(wrong)} of {len(listed)} expressions are not those '
            f"of the set: {some(wrong)}; its labels must be AffectNet's"
        )
    return [known[name] for name in listed]
