"""Which of the layouts a folder of parts has, and its categories."""

from pathlib import Path
from typing import NamedTuple

from mmocc.datasets.anomaly.layouts import GOOD, TILE, read_visa
from mmocc.utils.files import expand, list_folders

VISA_LIST = 'split_csv/1cls.csv'


class PartFolder(NamedTuple):
    """Where images of parts are, and how."""

    root: Path
    layout: str  # a key of LAYOUTS
    categories: tuple[str, ...]

    @property
    def has_validation(self) -> bool:
        """Whether good images besides those of training are given."""
        return self.layout == 'mvtec_loco'


def find_layout(folder: str | Path) -> PartFolder:
    """Return the layout of a folder.

    Args:
        folder: Of VisA, of the magnetic tiles, of MVTec AD, MVTec LOCO or
            BTAD, of one category of these, or a folder with ``good`` (and
            ``bad``).

    Raises:
        FileNotFoundError: There is no such folder, or it is none of these.
    """
    root = expand(folder)
    if not root.is_dir():
        raise FileNotFoundError(f'{root}: no such folder')
    if (root / VISA_LIST).is_file():
        images = read_visa(root, 'train')
        found = sorted({image.category for image in images})
        return PartFolder(root, 'visa', tuple(found))
    if (root / 'MT_Free').is_dir():
        return PartFolder(root, 'magnetic_tile', (TILE,))
    if (root / 'train').is_dir():  # one category
        whole = root.resolve()
        return PartFolder(whole.parent, _mvtec(whole), (whole.name,))
    parts = [p for p in list_folders(root) if (p / 'train').is_dir()]
    if parts:
        names = tuple(part.name for part in parts)
        return PartFolder(root, _mvtec(parts[0]), names)
    if (root / GOOD).is_dir() or (root / 'ok').is_dir():
        return PartFolder(root, 'folder', (root.resolve().name,))
    raise FileNotFoundError(
        f'{root}: none of the known layouts; photos of good parts belong in '
        f'{root / GOOD}, those of defective ones in {root / "bad"}, or all '
        'of it as MVTec AD, MVTec LOCO AD, BTAD or VisA have it '
        '(docs/dea_data.md)'
    )


def _mvtec(category: Path) -> str:
    """Return the layout of a category with ``train`` and ``test``."""
    loco = (category / 'validation').is_dir()
    return 'mvtec_loco' if loco else 'mvtec'
