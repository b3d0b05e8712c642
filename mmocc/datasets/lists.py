"""Lists, folders and choices, as all readers check them (no OpenMMLab)."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from mmocc.utils.files import expand, is_image, list_folders, open_text

T = TypeVar('T')
PARTS = ('all', 'fit', 'select')  # of a training list
_COMPLETE = (
    'complete the data set, or check data_root and split '
    '(docs/localization.md shows each layout)'
)


def check_choice(name: str, value: object, choices: Sequence) -> None:
    """Raise ValueError, naming the argument, unless ``value`` is a choice."""
    if value not in choices:
        raise ValueError(
            f'unknown {name} {value!r}; choose from '
            f'{", ".join(map(repr, choices))}'
        )


def read_lines(
    path: Path,
    parse: Callable[[str], T],
    form: str,
    remedy: str = _COMPLETE,
) -> Iterator[T]:
    """Yield what each line of a UTF-8 file parses to; skip blank lines.

    Args:
        path: The file.
        parse: Takes a line; raises ValueError or KeyError if it does not
            parse.
        form: What a line must look like, for the message.
        remedy: What to do if there is no such file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: A line does not parse, or the file is not UTF-8.
    """
    numbered = _read_numbered(path, parse, form, remedy)
    return (value for _, value in numbered)


def read_unique(
    path: Path,
    parse: Callable[[str], tuple[str, T]],
    form: str,
    remedy: str = _COMPLETE,
) -> dict[str, T]:
    """Return the values of a file's lines by their keys.

    As :func:`read_lines`, whose ``parse`` gives key and value; ValueError,
    which names both lines, if a key repeats.
    """
    lines: dict[str, int] = {}
    values: dict[str, T] = {}
    for number, (key, value) in _read_numbered(path, parse, form, remedy):
        if key in lines:
            raise ValueError(
                f'{path}: {key!r} is in line {lines[key]} and again in line '
                f'{number}; remove one of them'
            )
        lines[key], values[key] = number, value
    return values


def _read_numbered(
    path: Path, parse: Callable[[str], T], form: str, remedy: str
) -> Iterator[tuple[int, T]]:
    """Yield the number of each line that is not blank, and its value."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; {remedy}')
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            line = line.strip('\r\n')
            if not line.strip():
                continue
            try:
                yield number, parse(line)
            except (ValueError, KeyError) as error:
                raise ValueError(
                    f'{path}, line {number}: {line!r} does not parse '
                    f'({error}); a line must be {form}'
                ) from error


def read_names(
    path: Path, remedy: str, key: Callable[[str], str] | None = None
) -> list[str]:
    """Return the stripped lines of an image list.

    Args:
        path: The list.
        remedy: What to do if there is none.
        key: Gives what no two names may share; None allows repeats.

    Raises:
        FileNotFoundError: There is no list.
        ValueError: It is empty, not UTF-8, or repeats a key.
    """
    if key is None:
        names = list(read_lines(path, str.strip, 'an image', remedy))
    else:
        keyed = read_unique(
            path, lambda line: (key(line), line.strip()), 'an image', remedy
        )
        names = list(keyed.values())
    if not names:
        raise ValueError(f'{path}: the list is empty; write one image a line')
    return names


def take_part(names: Sequence[str], part: str, where: Path) -> list[str]:
    """Return a part of a training list, in its order.

    ``select`` is a tenth of it (at least one) to choose a model with, ``fit``
    the rest, ``all`` both. Which names it is depends on the names alone.

    Raises:
        ValueError: The part is unknown, or nothing is left for it; names the
            list ``where``.
    """
    check_choice('part', part, PARTS)
    if part == 'all':
        return list(names)

    def rank(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()

    held = set(sorted(set(names), key=rank)[: max(1, round(len(names) / 10))])
    taken = [name for name in names if (name in held) == (part == 'select')]
    if not taken:
        raise ValueError(
            f"{where}: {len(names)} images cannot be parted; use part='all'"
        )
    return taken


def class_names(classes: str | Path | Sequence[str] | None) -> Any:
    """Return names of classes; those of a file, one a line, if it is named."""
    if isinstance(classes, str | Path):
        return read_names(expand(classes), 'name a file of classes')
    return classes


def require_files(
    folder: Path, files: Sequence[str], wanted_by: Path, remedy: str
) -> list[str]:
    """Return the paths of files in a folder, which is listed once.

    A picture may have another ending than its name says, such as ``.JPG``.
    FileNotFoundError if the folder (with ``remedy``) or some of the files,
    which the list ``wanted_by`` names, are missing.
    """
    if not folder.is_dir():
        folders = [p.name for p in list_folders(folder.parent)]
        similar = get_close_matches(folder.name, folders, n=6, cutoff=0)
        raise FileNotFoundError(
            f'{folder}: no such folder, though {wanted_by} needs it; '
            f'{remedy} (most similar in {folder.parent}: '
            f'{", ".join(similar) or "none"})'
        )
    names = {path.name: path for path in folder.iterdir()}
    stems = {path.stem: path for path in names.values() if is_image(path)}
    for name in filter(is_image, files):
        if name not in names and Path(name).stem in stems:
            names[name] = stems[Path(name).stem]
    missing = [name for name in files if name not in names]
    if missing:
        raise FileNotFoundError(
            f'{folder / missing[0]}: no such file, though {wanted_by} names '
            f'it ({len(missing)} of {len(files)} are missing); complete the '
            'folder, or remove the lines from the list'
        )
    return [str(names[name]) for name in files]
