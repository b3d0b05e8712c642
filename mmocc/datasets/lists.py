"""Lists, folders and choices, as all readers check them (no OpenMMLab)."""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from mmocc.utils.readable import readable_text

T = TypeVar('T')
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
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; {remedy}')
    with readable_text(path), path.open(encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            line = line.strip('\r\n')
            if not line.strip():
                continue
            try:
                yield parse(line)
            except (ValueError, KeyError) as error:
                raise ValueError(
                    f'{path}, line {number}: {line!r} does not parse '
                    f'({error}); a line must be {form}'
                ) from error


def read_names(path: Path, remedy: str) -> list[str]:
    """Return the stripped lines of an image list.

    FileNotFoundError, with ``remedy``, without the list; ValueError if it is
    empty or not UTF-8.
    """
    names = list(read_lines(path, str.strip, 'an image', remedy))
    if not names:
        raise ValueError(f'{path}: the list is empty; write one image a line')
    return names


def require_files(
    folder: Path, files: Sequence[str], wanted_by: Path, remedy: str
) -> list[str]:
    """Return the paths of files in a folder, which is listed once.

    FileNotFoundError if the folder (with ``remedy``) or some of the files,
    which the list ``wanted_by`` names, are missing.
    """
    if not folder.is_dir():
        folders = [p.name for p in folder.parent.glob('*') if p.is_dir()]
        similar = get_close_matches(folder.name, folders, n=6, cutoff=0)
        raise FileNotFoundError(
            f'{folder}: no such folder, though {wanted_by} needs it; '
            f'{remedy} (most similar in {folder.parent}: '
            f'{", ".join(similar) or "none"})'
        )
    names = {path.name for path in folder.iterdir()}
    missing = [name for name in files if name not in names]
    if missing:
        raise FileNotFoundError(
            f'{folder / missing[0]}: no such file, though {wanted_by} names '
            f'it ({len(missing)} of {len(files)} are missing); complete the '
            'folder, or remove the lines from the list'
        )
    return [str(folder / name) for name in files]
