"""Reads NumPy archives without executing anything that is in them.

``np.load(..., allow_pickle=True)`` runs whatever code a pickle names. Here a
member of numbers or text is read as plain bytes. A member that is a pickled
object array is taken apart in four steps, none of which leaves this file:

1. its opcodes are listed and compared with those that NumPy writes;
2. the few globals that NumPy names are mapped to inert stand-ins below, all
   others are refused, so nothing outside this file is ever called;
3. the stand-ins only note what they are given: NumPy's own ``__setstate__``,
   which trusts its input, is never reached;
4. what they noted is checked, and only then becomes arrays.

Pure Python and NumPy, no OpenMMLab import.
"""

import io
import math
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAX_MEMBER_BYTES = 2**29
_PLAIN = (str, bytes, int, float, bool, type(None))
_CODE = re.compile(r'[biufUSO]\d*')
_ARRAY_CALLS = ('numpy.core.multiarray', 'numpy._core.multiarray')
_OPCODES = {
    'PROTO', 'FRAME', 'GLOBAL', 'STACK_GLOBAL', 'REDUCE', 'BUILD', 'STOP',
    'MARK', 'POP', 'POP_MARK', 'EMPTY_TUPLE', 'TUPLE', 'TUPLE1', 'TUPLE2',
    'TUPLE3', 'EMPTY_LIST', 'APPEND', 'APPENDS', 'NONE', 'NEWTRUE',
    'NEWFALSE', 'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT',
    'SHORT_BINUNICODE', 'BINUNICODE', 'SHORT_BINBYTES', 'BINBYTES',
    'BINBYTES8', 'MEMOIZE', 'BINPUT', 'LONG_BINPUT', 'BINGET', 'LONG_BINGET',
}  # fmt: skip


def read_npz(path: str | Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some members of an archive; none of them can run code.

    Args:
        path: File that ``np.savez`` or ``np.savez_compressed`` wrote.
        keys: Names of the members to read; the others are not touched.

    Returns:
        The arrays. Arrays of objects hold numbers, text, bytes, None and
        arrays of numbers or text; nothing else is let through.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is damaged or too large, lacks a member, or holds
            a pickle of anything else. The message names file and member.
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
    """Return the array in the bytes of a ``.npy`` file, executing nothing.

    Raises:
        ValueError: The bytes are no array of numbers, text or plain objects.
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
    body = stream.read()
    if dtype.hasobject:
        array = _unpickle(body)
        kinds = {dtype.kind, array.dtype.kind}
        if kinds != {'O'} or array.shape != shape:
            raise ValueError('the pickled array is not what its header says')
        return array
    return _from_bytes(body, shape, fortran, dtype)


def _from_bytes(
    body: bytes, shape: tuple[int, ...], fortran: bool, dtype: np.dtype
) -> np.ndarray:
    """Return a read-only array over ``body``; its size is checked first."""
    count = math.prod(shape)
    fits = len(body) == count * dtype.itemsize and min(shape, default=0) >= 0
    if dtype.kind not in 'biufUS' or not dtype.itemsize or not fits:
        raise ValueError(
            f'{len(body)} bytes are no array of {dtype} and shape {shape}'
        )
    flat = np.frombuffer(body, dtype) if count else np.empty(0, dtype)
    return flat.reshape(shape, order='F' if fortran else 'C')


# -- stand-ins for what NumPy's pickles name --------------------------------


class _Array:
    """Stands for an array: notes its state, checks it when asked."""

    state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def build(self, nested: bool = False) -> np.ndarray:
        """Return the array; arrays of objects are not nested."""
        _, shape, dtype, fortran, body = self.state
        if not isinstance(dtype, _DType) or type(shape) is not tuple:
            raise ValueError('the state of an array is not of the usual form')
        if isinstance(body, list) and not nested:
            return _object_array(shape, [_plain(item) for item in body])
        if not isinstance(body, bytes):
            raise ValueError('an array of objects inside another one')
        return _from_bytes(body, shape, bool(fortran), dtype.build())


class _DType:
    """Stands for a dtype of numbers, text or objects."""

    def __init__(self, code: str, align: bool, copy: bool) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f'dtype {code!r} is not read')
        self.code, self.order = code, '|'

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def build(self) -> np.dtype:
        """Return the dtype; objects are refused."""
        if self.code[0] == 'O' or self.order not in ('<', '>', '=', '|'):
            raise ValueError(f'dtype {self.order}{self.code} is not read')
        return np.dtype(self.order + self.code)


class _NDArray:
    """Stands for the name ``numpy.ndarray``."""


def _reconstruct(subtype: type, shape: tuple, code: bytes) -> _Array:
    """Stand for NumPy's function of this name; the state comes later."""
    if subtype is not _NDArray:
        raise ValueError('only plain arrays are read')
    return _Array()


def _scalar(dtype: _DType, body: bytes) -> Any:
    """Stand for NumPy's function that makes a number or a text."""
    return _from_bytes(body, (), False, dtype.build()).item()


def _encode(text: str, encoding: str) -> bytes:
    """Stand for ``_codecs.encode``, by which old pickles write bytes."""
    if encoding != 'latin1':
        raise ValueError(f'bytes in the encoding {encoding!r} are not read')
    return text.encode('latin1')


_STAND_INS = {
    ('numpy', 'ndarray'): _NDArray,
    ('numpy', 'dtype'): _DType,
    ('_codecs', 'encode'): _encode,
    **{(module, '_reconstruct'): _reconstruct for module in _ARRAY_CALLS},
    **{(module, 'scalar'): _scalar for module in _ARRAY_CALLS},
}


class _Unpickler(pickle._Unpickler):  # in Python: its memo cannot overflow
    """Knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in, or refuse the name."""
        if (module, name) not in _STAND_INS:
            raise ValueError(f'the pickle asks for {module}.{name}')
        return _STAND_INS[module, name]


def _unpickle(body: bytes) -> np.ndarray:
    """Return the object array in a pickle.

    Raises:
        ValueError: It holds anything but plain values and plain arrays.
    """
    try:
        for opcode, _, _ in pickletools.genops(body):
            if opcode.name not in _OPCODES:
                raise ValueError(f'the pickle uses the opcode {opcode.name}')
        return _Unpickler(io.BytesIO(body)).load().build()
    except Exception as error:  # a broken pickle raises anything
        raise ValueError(
            f'refused, nothing was executed: {error}. Only arrays, text and '
            'numbers are read; take the file from its authors or make it anew'
        ) from error


def _plain(item: Any) -> Any:
    """Return an element of an object array, or refuse it."""
    if isinstance(item, _Array):
        return item.build(nested=True)
    if type(item) not in _PLAIN:
        raise ValueError(f'an element is a {type(item).__name__}')
    return item


def _object_array(shape: tuple[int, ...], items: list) -> np.ndarray:
    """Return an array of objects; items that are arrays stay whole."""
    array = np.empty(len(items), object)
    for index, item in enumerate(items):
        array[index] = item
    return array.reshape(shape)
