"""A folder that a tool makes: there in one piece, or as it was."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar('Made')


def make_folder(
    out: Path,
    make: Callable[[Path], Made],
    is_own: Callable[[Path], object],
    force: bool = False,
) -> Made:
    """Make a folder beside its place, then put it there.

    Args:
        out: Where it shall be. What the tool made there before is replaced.
        make: Fills the folder of the given path, which it creates.
        is_own: Tells whether a folder was made by the tool.
        force: Replace whatever is there.

    Returns:
        What ``make`` returns.

    Raises:
        FileExistsError: ``out`` holds something that the tool did not make.
    """
    taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    if taken and not force and not is_own(out):
        raise FileExistsError(
            f'{out} is there and was not made by this tool; choose another '
            '--out, or replace it with --force'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'.{out.name}.partial-{os.getpid()}')
    _remove(partial)
    try:
        made = make(partial)
        _remove(out)
        partial.rename(out)
    finally:
        _remove(partial)
    return made


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
