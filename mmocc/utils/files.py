"""Files that others made: which are pictures, and how texts are read.

All readers, banks, writers and tools list, expand and open files with these
functions, so that all of them take and leave out the same ones.
"""

import csv
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
NAME_BYTES = 255  # the longest name of a file that common systems take
_MARKS = {b'\xff\xfe': 'UTF-16', b'\xfe\xff': 'UTF-16'}


def expand(path: str | Path) -> Path:
    """Return a path whose ``~`` is the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user: a folder whose name begins with ~
        return Path(path)


def note(text: str, level: int = logging.WARNING) -> None:
    """Log a line: with mmengine, where it is installed, into its log."""
    try:
        from mmengine.logging import print_log
    except ImportError:
        logging.getLogger('mmocc').log(level, text)
    else:
        print_log(text, logger='current', level=level)


def some(names: Iterable[str]) -> str:
    """Return the first names of many, and how many more there are."""
    names = list(names)
    more = len(names) - 5
    tail = f' and {more} more' if more > 0 else ''
    return ', '.join(names[:5]) + tail


def is_image(path: str | Path) -> bool:
    """Return whether a file has the ending of a picture, in any case."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122


def is_hidden(name: str) -> bool:
    """Return whether systems hide a name: ``._a.jpg``, ``__MACOSX``."""
    return name.startswith('.') or name == '__MACOSX'


def walk(folder: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield what ``os.walk`` does, also of folders that are links.

    A link back to a folder that led to it is left out: it would never end.
    Removing names of the folders leaves them out, as in ``os.walk``.

    Raises:
        OSError: If a folder cannot be read.
    """
    folder = Path(folder)
    for place, folders, names in os.walk(
        folder, onerror=_raise, followlinks=True
    ):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        if links:
            above = (here, *here.parents)
            real = {p.resolve() for p in above if p.is_relative_to(folder)}
            for name in links:
                if (here / name).resolve() in real:
                    folders.remove(name)
        yield place, folders, names


def list_images(folder: str | Path, deep: bool = False) -> list[Path]:
    """Return the pictures of a folder, sorted; none without the folder.

    Pictures with hidden names, and those in hidden folders, are left out, and
    a line of the log counts them.

    Args:
        folder: Where they are.
        deep: Take those in folders below, too.
    """
    folder = expand(folder)
    if not folder.is_dir():
        return []
    images, hidden = [], []
    for place, folders, names in walk(folder):
        if not deep:
            folders.clear()
        parts = Path(place).relative_to(folder).parts
        concealed = any(map(is_hidden, parts))
        for name in filter(is_image, names):
            out = hidden if concealed or is_hidden(name) else images
            out.append(Path(place, name))
    _count_hidden(folder, hidden, 'pictures')
    return sorted(images)


def list_folders(folder: str | Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones.

    None without the folder; a line of the log counts the hidden ones.
    """
    folder = expand(folder)
    if not folder.is_dir():
        return []
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    hidden = [path for path in folders if is_hidden(path.name)]
    _count_hidden(folder, hidden, 'folders')
    return [path for path in folders if not is_hidden(path.name)]


def list_classes(root: str | Path) -> list[tuple[Path, list[Path]]]:
    """Return the folders in a folder, sorted, each with its pictures.

    A line of the log counts the folders without a picture.
    """
    classes = [(folder, list_images(folder)) for folder in list_folders(root)]
    empty = [folder.name for folder, images in classes if not images]
    if empty:
        note(
            f'{root}: {len(empty)} of {len(classes)} folders hold no picture '
            f'({", ".join(IMAGE_SUFFIXES)}): {some(empty)}'
        )
    return classes


def _raise(error: OSError) -> None:
    """Raise what os.walk would pass over, such as a folder without access."""
    raise error


def _count_hidden(folder: Path, hidden: list[Path], what: str) -> None:
    """Say which names are left out because systems hide them."""
    if hidden:
        names = sorted(str(path.relative_to(folder)) for path in hidden)
        note(
            f'{folder}: {len(hidden)} {what} with hidden names left out: '
            f'{some(names)}'
        )


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a text in UTF-8, with or without the mark that Windows writes.

    Raises:
        ValueError: It is not UTF-8, or read as CSV it is none; names the file
            and, if it is not UTF-8, the line.
    """
    try:
        with expand(path).open(encoding='utf-8-sig', newline='') as file:
            yield file
    except UnicodeDecodeError as error:
        raise ValueError(_not_text(path, expand(path).read_bytes())) from error
    except csv.Error as error:
        raise ValueError(
            f'{path}: not readable as text ({error}); fetch it again, or '
            'write it as CSV'
        ) from error


def read_text(path: str | Path) -> str:
    """Return a text; errors as of :func:`open_text`."""
    with open_text(path) as file:
        return file.read()


def _not_text(path: str | Path, data: bytes) -> str:
    """Return the message for bytes that are not UTF-8."""
    place, reason = 0, 'of bytes that UTF-8 does not have'
    try:
        data.decode()
    except UnicodeDecodeError as error:
        place = error.start
    if data[:2] in _MARKS:
        reason = f'it is {_MARKS[data[:2]]}'
    line = data.count(b'\n', 0, place) + 1
    return (
        f'{path}, line {line}: not readable as text ({reason}); fetch it '
        'again, or save it as UTF-8'
    )


def read_json(path: str | Path, unique: bool = False) -> Any:
    """Return the content of a JSON file in UTF-8.

    Args:
        path: The file.
        unique: Refuse an object that has a key twice, of which Python would
            keep the last.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON, not UTF-8, or a key repeats.
    """
    hook = _unique_keys if unique else None
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=hook)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not a JSON file ({error})') from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON file; ValueError if a key repeats."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f'{key!r} is in it twice')
        content[key] = value
    return content


def fit_name(name: str, ending: str = '', limit: int = NAME_BYTES) -> str:
    """Return name and ending, the name cut if both are too long for a file.

    A cut name ends with a hash of the whole one, so that two stay two.
    """
    room = limit - len(os.fsencode(ending))
    data = os.fsencode(name)
    if len(data) > room:
        digest = hashlib.sha256(data).hexdigest()[:16]
        name = data[: room - 17].decode('utf-8', 'ignore') + f'-{digest}'
    return name + ending
