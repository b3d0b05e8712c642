"""Reads RAF-DB (basic) and RAN's lists of its occluded and turned faces.

The lists are those of Kai Wang et al., "Region Attention Networks for Pose and
Occlusion Robust Facial Expression Recognition" (TIP 2020).
"""

from pathlib import Path

from mmocc.datasets.faces.folders import read_class_folders
from mmocc.datasets.faces.listing import Face, some
from mmocc.datasets.lists import check_choice, read_lines
from mmocc.utils.expressions import EXPRESSIONS, RAFDB_LABELS

SPLITS = ('train', 'test')
# The list of each part of the test split, as RAN calls the files.
SUBSETS = dict(
    occlusion='rafdb_occlusion_list.txt',
    pose30='val_raf_db_list.txt',
    pose45='val_raf_db_list_45.txt',
)
_LISTS = ('list_patition_label.txt', 'list_partition_label.txt')
_ALIGNED = '_aligned'


def read_rafdb(root: Path, split: str, image: str = 'aligned') -> list[Face]:
    """Read one split of RAF-DB, as distributed or as folders of classes.

    Args:
        root: Folder with ``EmoLabel`` and ``Image``, or one above it; or with
            ``train/1 ... 7`` and ``test/1 ... 7``.
        split: ``train`` or ``test``; RAF-DB has no validation split.
        image: ``aligned``, or ``original`` for whole photos.

    Raises:
        FileNotFoundError: There is neither layout.
        ValueError: A line or an argument is wrong.
    """
    check_choice('split', split, SPLITS)
    check_choice('image', image, ('aligned', 'original'))
    places = [root, *(root / name for name in ('basic', 'raf-basic'))]
    for place in places:
        for name in _LISTS:
            if (place / 'EmoLabel' / name).is_file():
                return _read_list(place, place / 'EmoLabel' / name, split,
                                  image)  # fmt: skip
    for place in (root, root / 'DATASET'):
        if (place / split / '1').is_dir():
            folders = {str(k): v for k, v in RAFDB_LABELS.items()}
            return read_class_folders(place / split, folders)
    raise FileNotFoundError(
        f'{root}: neither EmoLabel/{_LISTS[0]} nor {split}/1 to {split}/7 in '
        'it; data_root must hold RAF-DB as distributed, or folders of classes'
    )


def _read_list(root: Path, path: Path, split: str, image: str) -> list[Face]:
    """Return the entries of the official list that are of a split."""

    def parse(line: str) -> tuple[str, int]:
        name, label = line.split()
        if int(label) not in RAFDB_LABELS:
            raise ValueError(f'unknown expression {label}')
        return Path(name).stem, int(label)

    ending = _ALIGNED if image == 'aligned' else ''
    folder = root / 'Image' / image
    return [
        Face(folder, f'{stem}{ending}', RAFDB_LABELS[label])
        for stem, label in read_lines(path, parse, 'NAME LABEL (1 to 7)')
        if stem.startswith(f'{split}_')
    ]


def read_subset(path: Path) -> list[Face]:
    """Read a list of RAN's: of occluded, or of turned faces.

    Lines of the first are ``test_0001_aligned 3 2``: picture, expression (0
    to 6, in RAF-DB's order) and kind of occlusion (1 to 4, whose meaning is
    not documented). Lines of the others are ``3/test_0001_aligned.jpg``.

    Args:
        path: The list.

    Returns:
        Entries in the list's own order, repeats included; of the first list
        with ``occlusion_type``.
    """

    def parse(line: str) -> Face:
        fields = line.split()
        if len(fields) == 3:
            stem, label, kind = fields
            extra = dict(occlusion_type=int(kind))
        else:
            label, name = line.strip().split('/')
            stem, extra = Path(name).stem, {}
        if not 0 <= int(label) < len(EXPRESSIONS):
            raise ValueError(f'unknown expression {label}')
        return Face(path.parent, stem, EXPRESSIONS[int(label)], extra)

    form = 'NAME LABEL TYPE or LABEL/NAME.jpg, with labels 0 to 6'
    return list(read_lines(path, parse, form))


def take_subset(
    faces: list[Face], listed: list[Face], path: Path
) -> list[Face]:
    """Return the entries of a split that a list names, in the list's order.

    Args:
        faces: Entries of the split.
        listed: Entries of the list.
        path: The list, for messages.

    Raises:
        ValueError: The list names others, or gives them other expressions.
    """
    known = {face.stem.removesuffix(_ALIGNED): face for face in faces}
    names = [face.stem.removesuffix(_ALIGNED) for face in listed]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f'{path}: {len(unknown)} of {len(names)} entries are not in the '
            f'test split: {some(unknown)}; is it the list of another set?'
        )
    chosen = [known[name] for name in names]
    wrong = [
        f'{ours.stem} ({theirs.expression}, in the set {ours.expression})'
        for ours, theirs in zip(chosen, listed, strict=True)
        if ours.expression != theirs.expression
    ]
    if wrong:
        raise ValueError(
            f'{path}: {len(wrong)} of {len(names)} expressions are not those '
            f'of the set: {some(wrong)}; its labels must be 0 to 6 in the '
            f'order {", ".join(EXPRESSIONS)}'
        )
    pairs = zip(chosen, listed, strict=True)
    return [ours._replace(extra=theirs.extra) for ours, theirs in pairs]
