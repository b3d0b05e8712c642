"""Files that are whole, or not there: what a crash must not damage."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from mmengine.fileio import LocalBackend

from mmocc.utils.files import fit_name

SUFFIX = '.tmp'  # of a file that is being written
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SaveError(OSError):
    """A file could not be written; the file that it replaces is untouched."""


def write_whole(data: bytes, path: str | Path, sync: bool = True) -> None:
    """Write a file so that at no time there is a part of it.

    The bytes go to ``<path>.tmp``, which then replaces ``path``; a name that
    is too long for it is cut. A killed process leaves the old file and perhaps
    a ``.tmp``.

    Args:
        data: All that the file must hold.
        path: The file; its folder must exist.
        sync: Force the bytes to the disk, also for power cuts. Much slower for
            thousands of files, and not needed if they can be made again.

    Raises:
        SaveError: It cannot be written; names the remedy. No ``.tmp`` stays.
    """
    path = Path(path)
    temporary = path.with_name(fit_name(path.name, SUFFIX))
    try:
        with temporary.open('wb') as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if sync:
            _sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise SaveError(_explain(error, path, len(data))) from error


def _sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, where the system can."""
    with suppress(OSError):  # Windows, and some network file systems
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _explain(error: OSError, path: Path, size: int) -> str:
    """Return one line: what happened to which file, and what to do."""
    remedy = f'allow writing to {path.parent}'
    if error.errno in _NO_ROOM:
        remedy = f'make room for {size / 2**20:.1f} MiB in {path.parent}'
    if error.errno == errno.ENAMETOOLONG:
        remedy = 'give it a shorter name'
    return (
        f'{path} could not be written ({error.strerror or error}); what was '
        f'written before is whole: {remedy}, then go on'
    )


class WholeFileBackend(LocalBackend):
    """mmengine's backend of local files, which writes them whole.

    Registered as 'local' with ``prefixes=''`` it serves all paths.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file, whose folder is made, or raise SaveError."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_whole(obj, filepath)
