"""RAF-DB (basic), and its occluded and turned faces."""

from pathlib import Path
from typing import Any

from mmocc.datasets.face_dataset import (
    Face,
    FaceDataset,
    check_subset,
    read_class_folders,
    take_subset,
)
from mmocc.datasets.lists import check_choice, read_lines
from mmocc.registry import DATASETS
from mmocc.utils.expressions import EXPRESSIONS, RAFDB_LABELS
from mmocc.utils.files import expand

SPLITS = ('train', 'test')
# The list of each part of the test split. They are RAN's: Kai Wang et al.,
# "Region Attention Networks for Pose and Occlusion Robust Facial Expression
# Recognition" (TIP 2020).
SUBSETS = dict(
    occlusion='rafdb_occlusion_list.txt',
    pose30='val_raf_db_list.txt',
    pose45='val_raf_db_list_45.txt',
)
_LISTS = ('list_patition_label.txt', 'list_partition_label.txt')


def read_rafdb(root: Path, split: str, image: str = 'aligned') -> list[Face]:
    """Read one split of RAF-DB, as distributed or as folders of classes.

    Args:
        root: Folder with ``EmoLabel`` and ``Image``, or one above it; or with
            ``train/1 ... 7`` and ``test/1 ... 7``; FileNotFoundError
            otherwise.
        split: ``train`` or ``test``; RAF-DB has no validation split.
        image: ``aligned``, or ``original`` for whole photos.
    """
    check_choice('split', split, SPLITS)
    check_choice('image', image, ('aligned', 'original'))
    for place in (root, root / 'basic', root / 'raf-basic'):
        for path in (place / 'EmoLabel' / name for name in _LISTS):
            if path.is_file():
                return _read_list(place, path, split, image)
    for place in (root, root / 'DATASET'):
        if (place / split / '1').is_dir():
            folders = {str(k): v for k, v in RAFDB_LABELS.items()}
            return read_class_folders(place / split, folders)
    raise FileNotFoundError(
        f'{root}: neither EmoLabel/{_LISTS[0]} nor {split}/1 to {split}/7 in '
        'it; data_root must hold RAF-DB as distributed, or folders of classes'
    )


def _read_list(root: Path, path: Path, split: str, image: str) -> list[Face]:
    """Return the entries of a split in the official list."""

    def parse(line: str) -> tuple[str, int]:
        name, label = line.split()
        if int(label) not in RAFDB_LABELS:
            raise ValueError(f'unknown expression {label}')
        return Path(name).stem, int(label)

    ending = '_aligned' if image == 'aligned' else ''
    folder = root / 'Image' / image
    return [
        Face(folder, f'{stem}{ending}', RAFDB_LABELS[label])
        for stem, label in read_lines(path, parse, 'NAME LABEL (1 to 7)')
        if stem.startswith(f'{split}_')
    ]


def read_subset(path: Path) -> list[Face]:
    """Read a list of RAN's: of occluded, or of turned faces, repeats included.

    Lines of the first are ``test_0001_aligned 3 2``: picture, expression (0 to
    6, in RAF-DB's order) and ``occlusion_type`` (1 to 4, whose meaning is not
    documented). Lines of the others are ``3/test_0001_aligned.jpg``.
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


@DATASETS.register_module()
class RAFDB(FaceDataset):
    """RAF-DB (basic): 12,271 faces for training and 3,068 for the test.

    Its files number the expressions 1 to 7; labels are 0 to 6, in the same
    order. Subsets are parts of the test split, by RAN's lists: occluded faces
    with ``occlusion_type`` (1 to 4), and those turned by more than 30 or 45
    degrees.

    Args:
        data_root: Folder of RAF-DB; see ``docs/faces.md``.
        split: ``train`` or ``test``; it has no validation split.
        subset: None for all; ``occlusion``, ``pose30`` or ``pose45``.
        subset_file: The subset's list in ``data_root``; None: RAN's name.
        image: ``aligned``, or ``original`` for whole photos.
        **kwargs: For :class:`FaceDataset`.

    Raises:
        ValueError: ``subset`` is unknown, or given with the train split.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        subset: str | None = None,
        subset_file: str | None = None,
        image: str = 'aligned',
        **kwargs: Any,
    ) -> None:
        check_subset(subset, SUBSETS, split, 'test')
        self.split, self.subset, self.image = split, subset, image
        self.subset_file = subset_file
        super().__init__(data_root, **kwargs)

    def read_faces(self) -> list[Face]:
        """Return the entries of the split, or of its subset."""
        faces = read_rafdb(self.root, self.split, self.image)
        if self.subset is None:
            return faces
        path = self.root / expand(self.subset_file or SUBSETS[self.subset])
        labels = f'0 to 6 in the order {", ".join(EXPRESSIONS)}'
        remedy = 'is it the list of another set?'
        return take_subset(faces, read_subset(path), path, remedy, labels)
