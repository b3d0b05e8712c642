"""NumPy's ``.npy`` and ``.npz`` files, read without running what is in them.

Numbers and text are read as plain bytes, arrays of objects by
``plain_pickle``. Pure Python and NumPy, no OpenMMLab import.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmocc.utils.plain_pickle import array_of, loads_plain

MAX_MEMBER_BYTES = 2**29


def read_npz(path: str | Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the members ``keys`` of an archive; none of them can run code.

    Returns:
        The arrays. Arrays of objects hold numbers, text, bytes, None and
            arrays of numbers or text only.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is damaged or too large, lacks a member, or holds a
            pickle of anything else; names file and member.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {key: _read_member(archive, key, path) for key in keys}
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{path}: no such annotation file; complete the folder'
        ) from error
    except (
        OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(
            f'{path}: not a readable .npz file ({error}); fetch it again'
        ) from error


def _read_member(
    archive: zipfile.ZipFile, key: str, path: str | Path
) -> np.ndarray:
    """Return one member as an array."""
    if f'{key}.npy' not in archive.namelist():
        names = ', '.join(sorted(archive.namelist())) or 'nothing'
        raise ValueError(f'{path}: has no member {key!r}, only {names}')
    info = archive.getinfo(f'{key}.npy')
    if info.file_size > MAX_MEMBER_BYTES:
        raise ValueError(
            f'{path}: member {key!r} would be {info.file_size} bytes; not '
            f'more than {MAX_MEMBER_BYTES} are read'
        )
    data = archive.read(info)
    try:
        return parse_npy(data)
    except Exception as error:  # a broken header raises anything
        raise ValueError(f'{path}, member {key!r}: {error}') from error


def parse_npy(data: bytes) -> np.ndarray:
    """Return the array in the bytes of a ``.npy`` file.

    ValueError if it is not of numbers, text or plain objects.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f'version {version} of the .npy format is not read')
    shape, fortran, dtype = readers[version](stream)
    if not dtype.hasobject:
        return array_of(stream.read(), shape, fortran, dtype)
    array = loads_plain(stream.read())
    same = isinstance(array, np.ndarray) and array.shape == shape
    if not same or {dtype.kind, array.dtype.kind} != {'O'}:
        raise ValueError('the pickled array is not what its header says')
    return array
