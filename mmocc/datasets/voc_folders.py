"""Finds the files of the Pascal VOC layout (no OpenMMLab import)."""

from pathlib import Path

from mmocc.utils.readable import readable_text

VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
    'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
    'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


def read_split(root: Path, split: str) -> list[str]:
    """Return the image ids in ``ImageSets/Main/<split>.txt``, in its order.

    Raises:
        FileNotFoundError: The root or the list does not exist.
        ValueError: The list is empty, or no UTF-8.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root}: no such folder; data_root must hold Annotations, '
            'JPEGImages and ImageSets (tools/dataset_converters/ makes them)'
        )
    path = root / 'ImageSets' / 'Main' / f'{split}.txt'
    if not path.is_file():
        found = sorted(p.stem for p in path.parent.glob('*.txt'))
        raise FileNotFoundError(
            f'{path}: no such split; found {", ".join(found) or "none"}'
        )
    with readable_text(path):
        lines = path.read_text(encoding='utf-8').splitlines()
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise ValueError(
            f'{path}: the split is empty; write one image id per line'
        )
    return ids


def index_folder(folder: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Map stem to path for the files of a folder; one directory listing."""
    if not folder.is_dir():
        return {}
    return {
        path.stem: str(path)
        for path in sorted(folder.iterdir(), reverse=True)
        if path.suffix.lower() in suffixes
    }
