"""What the two occluded PASCAL3D+ sets have in common: classes and lists."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mmocc.utils.readable import readable_text

# The 12 rigid categories of PASCAL3D+; the label is the place in this list.
PASCAL3D_CLASSES = (
    'aeroplane', 'bicycle', 'boat', 'bottle', 'bus', 'car', 'chair',
    'diningtable', 'motorbike', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
VEHICLES = ('aeroplane', 'bicycle', 'bus', 'car', 'motorbike', 'train')


def check_choice(name: str, value: object, choices: Sequence) -> None:
    """Raise ValueError, naming the argument, unless ``value`` is a choice."""
    if value not in choices:
        raise ValueError(
            f'unknown {name} {value!r}; choose from '
            f'{", ".join(map(repr, choices))}'
        )


def check_categories(
    categories: Sequence[str], classes: Sequence[str]
) -> list[str]:
    """Return the categories to read as a list.

    Raises:
        ValueError: There is none, or one without a place among the classes.
    """
    unknown = [name for name in categories if name not in classes]
    if unknown or not categories:
        raise ValueError(
            f'categories {list(categories)} must be some of the classes; '
            f'without a label: {", ".join(unknown) or "-"} '
            f'(classes: {", ".join(classes)})'
        )
    return list(categories)


def read_names(path: Path, remedy: str) -> list[str]:
    """Return the lines of an image list, without blanks, in its order.

    Args:
        path: The list, one image per line.
        remedy: What to do if there is no such list.

    Raises:
        FileNotFoundError: The list does not exist.
        ValueError: The list is empty, or no UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such image list; {remedy}')
    with readable_text(path):
        lines = path.read_text(encoding='utf-8').splitlines()
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f'{path}: the list is empty; fetch it again')
    return names


def require_files(
    folder: Path, files: Sequence[str], wanted_by: Path, remedy: str
) -> list[str]:
    """Return the paths of files in a folder; one directory listing.

    Args:
        folder: Where the files are.
        files: Their names, with ending.
        wanted_by: The list that names them.
        remedy: What to do if there is no such folder.

    Raises:
        FileNotFoundError: The folder or some of the files are missing.
    """
    if not folder.is_dir():
        found = [p.name for p in folder.parent.glob('*') if p.is_dir()]
        similar = get_close_matches(folder.name, found, n=6, cutoff=0)
        raise FileNotFoundError(
            f'{folder}: no such folder, though {wanted_by} needs it; '
            f'{remedy} (most similar in {folder.parent}: '
            f'{", ".join(similar) or "none"})'
        )
    there = {path.name for path in folder.iterdir()}
    missing = [name for name in files if name not in there]
    if missing:
        raise FileNotFoundError(
            f'{folder / missing[0]}: no such file, though {wanted_by} names '
            f'it ({len(missing)} of {len(files)} are missing); complete the '
            'folder or take the lines out of the list'
        )
    return [str(folder / name) for name in files]
