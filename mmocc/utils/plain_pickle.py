"""Pickles of plain values, read without running what is pickled in them.

Only the opcodes that plain values need are known. A name is looked up in the
table ``_CALLS``, whose functions only record what the pickle says (even
NumPy's own functions are unsafe); ``_Builder`` then checks the records and
makes arrays. Work and memory stay in proportion to the pickle's size. Pure
Python and NumPy, no OpenMMLab and no torch.
"""

import io
import math
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

MAX_DEPTH = 32  # of lists in lists, and dimensions of an array
_SCALARS = (str, bytes, int, float, bool, type(None))
_CODE = re.compile(r'[biufUSO]\d*')
_OPCODES = {
    'PROTO', 'FRAME', 'STOP', 'MARK', 'POP', 'POP_MARK', 'DUP', 'GLOBAL',
    'STACK_GLOBAL', 'REDUCE', 'BUILD', 'NONE', 'NEWTRUE', 'NEWFALSE', 'INT',
    'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT',
    'BINFLOAT', 'STRING', 'BINSTRING', 'SHORT_BINSTRING', 'UNICODE',
    'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'BINBYTES',
    'SHORT_BINBYTES', 'BINBYTES8', 'BYTEARRAY8', 'LIST', 'EMPTY_LIST',
    'APPEND', 'APPENDS', 'TUPLE', 'EMPTY_TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3',
    'DICT', 'EMPTY_DICT', 'SETITEM', 'SETITEMS', 'PUT', 'BINPUT',
    'LONG_BINPUT', 'MEMOIZE', 'GET', 'BINGET', 'LONG_BINGET', 'BINPERSID',
}  # fmt: skip


def load_plain(path: str | Path) -> Any:
    """Return the content of a file with a pickle of plain values.

    These are numbers, text, bytes, None, and lists, tuples, dicts and arrays
    of these; torch's tensors become arrays. ValueError for anything else, or
    damage.
    """
    try:
        return loads_plain(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error


def loads_plain(data: bytes) -> Any:
    """Return the value in a pickle's bytes, as ``load_plain`` does."""
    try:
        value = _Unpickler(data, _CALLS).load()
        return _Builder(2 * len(data)).build(value)
    except Exception as error:  # a broken pickle raises anything
        reason = str(error) or 'it ends too early'
        raise ValueError(
            f'refused, nothing in it was run: {reason}. Only numbers, text '
            'and lists and arrays of these are read; take the file from its '
            'authors, or make it again'
        ) from error


def array_of(
    body: bytes, shape: tuple[int, ...], fortran: bool, dtype: np.dtype
) -> np.ndarray:
    """Return a read-only array over ``body``; ValueError if it misfits."""
    plain = dtype.kind in 'biufUS' and dtype.itemsize
    fits = len(shape) <= MAX_DEPTH and all(0 <= side < 2**63 for side in shape)
    if not (plain and fits and len(body) == math.prod(shape) * dtype.itemsize):
        raise ValueError(
            f'{len(body)} bytes are no array of {dtype} and shape {shape}'
        )
    flat = np.frombuffer(body, dtype) if body else np.empty(0, dtype)
    return flat.reshape(shape, order='F' if fortran else 'C')


# -- records of what a pickle says ------------------------------------------


class _Name:
    """The name of a function or class."""

    def __init__(self, module: str, name: str) -> None:
        self.key = module, name


class _DType:
    """A dtype of NumPy: numbers, text or objects."""

    def __init__(self, code: str, align: int = 0, copy: int = 1) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f'dtype {code!r} is not read')
        self.code, self.order = code, '|'

    def __setstate__(self, state: tuple) -> None:
        """Record the byte order; the rest must be as NumPy writes it."""
        self.order = state[1]
        usual = np.dtype(self.code).__reduce__()[2]
        if self.order not in ('<', '>', '=', '|') or state[2:] != usual[2:]:
            raise ValueError(f'a dtype {self.code} with parts is not read')

    def build(self) -> np.dtype:
        """Return the dtype; objects are refused."""
        if self.code[0] == 'O':
            raise ValueError('an array of objects has bytes for a content')
        return np.dtype(self.order + self.code)


class _Array:
    """An array of NumPy: shape, dtype, whether in Fortran's order, content."""

    key = 'numpy', 'ndarray'
    state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        """Record what comes after the version of the format."""
        self.state = state[1:]

    def build(self, nested: bool = False) -> np.ndarray:
        """Return the array; one of objects must not be in another one."""
        shape, dtype, fortran, body = self.state
        _check_integers(shape)
        if isinstance(body, list) and dtype.code[0] == 'O' and not nested:
            array = np.empty(len(body), object)
            for place, item in enumerate(body):
                array[place] = _element(item)
            return array.reshape(shape)
        if not isinstance(body, bytes):
            raise ValueError('an array of objects inside another one')
        return array_of(body, shape, bool(fortran), dtype.build())


class _Tensor:
    """A tensor of torch: what a view of a flat array shows."""

    def __init__(
        self, flat: np.ndarray, offset: int, size: tuple, stride: tuple, *_
    ) -> None:
        self.state = flat, offset, size, stride

    def build(self) -> np.ndarray:
        """Return a copy of what the tensor shows."""
        flat, offset, size, stride = self.state
        _check_integers((offset, *size, *stride))
        steps = zip(size, stride, strict=True)
        last = offset + sum((side - 1) * step for side, step in steps)
        outside = 0 not in size and last >= len(flat)
        if outside or math.prod(size) > len(flat):
            raise ValueError(f'a tensor of {size} exceeds its storage')
        strides = [step * flat.itemsize for step in stride]
        view = np.lib.stride_tricks.as_strided(flat[offset:], size, strides)
        return view.copy()


def _check_integers(numbers: tuple) -> None:
    """Refuse a shape that is not of whole numbers from 0."""
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f'{numbers} is no shape')


def _element(item: Any) -> Any:
    """Return an element of an array of objects."""
    if isinstance(item, _Array):
        return item.build(nested=True)
    if type(item) not in _SCALARS:
        raise ValueError(f'an element is a {type(item).__name__}')
    return item


# -- what stands for the functions that pickles name -------------------------


def _reconstruct(subtype: _Name, shape: tuple, code: bytes) -> _Array:
    """Record an array whose state comes later."""
    if subtype.key != _Array.key:
        raise ValueError('only plain arrays are read')
    return _Array()


def _frombuffer(
    body: bytes, dtype: _DType, shape: tuple, order: str
) -> _Array:
    """Record an array as protocol 5 has it."""
    array = _Array()
    array.state = shape, dtype, order == 'F', body
    return array


def _scalar(dtype: _DType, body: bytes) -> Any:
    """Return one of NumPy's numbers or texts as Python's."""
    return array_of(body, (), False, dtype.build()).item()


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes, which old protocols write as text."""
    if encoding != 'latin1':
        raise ValueError(f'bytes in the encoding {encoding!r} are not read')
    return text.encode('latin1')


def _storage(data: bytes) -> np.ndarray:
    """Return the values of a storage of torch, in its format before zip.

    That is five pickles (magic number, version, facts on the machine, the
    storage, keys), the number of values in 8 bytes, and the values.
    """
    file = io.BytesIO(data)
    parts = [_Unpickler(file, _STORAGES).load() for _ in range(5)]
    kind, storage, _, _, count, *_ = parts[3]
    if kind != 'storage' or int.from_bytes(file.read(8), 'little') != count:
        raise ValueError('the storage of a tensor is damaged')
    return array_of(file.read(), (count,), False, _STORAGES[storage.key])


NUMPY_CALLS = {
    ('numpy', 'dtype'): _DType,
    _Array.key: _Array,
}
for _package in ('numpy.core', 'numpy._core'):  # before and since NumPy 2
    NUMPY_CALLS[f'{_package}.multiarray', '_reconstruct'] = _reconstruct
    NUMPY_CALLS[f'{_package}.multiarray', 'scalar'] = _scalar
    NUMPY_CALLS[f'{_package}.numeric', '_frombuffer'] = _frombuffer
_STORAGES = {
    ('torch', f'{name}Storage'): np.dtype(code)
    for name, code in dict(
        Bool='?', Byte='u1', Char='i1', Short='<i2', Int='<i4', Long='<i8',
        Half='<f2', Float='<f4', Double='<f8',
    ).items()
}  # fmt: skip
_CALLS = {
    **NUMPY_CALLS,
    ('_codecs', 'encode'): _encode,
    ('__builtin__', 'bytes'): lambda: b'',  # of protocols before 3
    ('collections', 'OrderedDict'): lambda: {},
    ('torch.storage', '_load_from_bytes'): _storage,
    ('torch._utils', '_rebuild_tensor_v2'): _Tensor,
}


# -- from bytes to records, and from records to values ------------------------


class _Known(dict):
    """What to do for each opcode."""

    def __missing__(self, code: int) -> None:
        raise ValueError(f'the pickle uses the opcode {code:#x}')


class _Unpickler(pickle._Unpickler):  # in Python: its memo cannot overflow
    """Records what a pickle says; no object of it is ever called."""

    dispatch = _Known(
        (code, pickle._Unpickler.dispatch[code])
        for code in (getattr(pickle, name)[0] for name in _OPCODES)
    )

    def __init__(
        self, source: bytes | io.BytesIO, names: Mapping[tuple, Any]
    ) -> None:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        super().__init__(file)
        self.names = names
        self.left = 4 * len(file.getbuffer())  # bytes that calls may copy

    def find_class(self, module: str, name: str) -> _Name:
        """Record a name, or refuse it."""
        if (module, name) not in self.names:
            raise ValueError(f'the pickle asks for {module}.{name}')
        return _Name(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Return what torch writes for a storage."""
        return pid

    def load_reduce(self) -> None:
        """Do what stands for a function."""
        args, function = self.stack.pop(), self.stack.pop()
        self.left -= sum(len(a) for a in args if type(a) in (str, bytes))
        if self.left < 0:
            raise ValueError('it unfolds to much more than the file holds')
        self.append(self.names[function.key](*args))

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_build(self) -> None:
        """Record the state of an array or a dtype."""
        state = self.stack.pop()
        if type(self.stack[-1]) not in (_Array, _DType):
            raise ValueError('the pickle sets the state of something else')
        self.stack[-1].__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray8(self) -> None:
        """Read bytes; allocate no more than there are."""
        self.append(self.read(int.from_bytes(self.read(8), 'little')))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_dict(self) -> None:
        """Make a dict of what follows the mark."""
        items = self.pop_mark()
        self.append({})
        self.fill(items)

    dispatch[pickle.DICT[0]] = load_dict

    def load_setitem(self) -> None:
        """Fill a dict with one item."""
        value, key = self.stack.pop(), self.stack.pop()
        self.fill([key, value])

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        """Fill a dict with what follows the mark."""
        self.fill(self.pop_mark())

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def fill(self, items: list) -> None:
        """Fill the last dict; hashing a deeply nested key could crash."""
        target, keys = self.stack[-1], items[::2]
        if type(target) is not dict or {type(k) for k in keys} - {*_SCALARS}:
            raise ValueError('a dict has a key that is no number and no text')
        target.update(zip(keys, items[1::2], strict=True))


class _Builder:
    """Turns records into values, as many as it may.

    Args:
        left: Largest number of values. A list that stands in many places
            counts in each of them.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def build(self, value: Any, depth: int = 0) -> Any:
        """Return a value without records, or refuse it."""
        if depth > MAX_DEPTH:
            raise ValueError(f'it is nested more than {MAX_DEPTH} deep')
        if isinstance(value, _Array | _Tensor):
            value = value.build()
            self.spend(value.size)
            return value
        self.spend(1)
        if type(value) in _SCALARS:
            return value
        if type(value) in (list, tuple):
            return type(value)(self.build(item, depth + 1) for item in value)
        if type(value) is dict:
            items = value.items()
            return {k: self.build(item, depth + 1) for k, item in items}
        name = '.'.join(getattr(value, 'key', [type(value).__name__]))
        raise ValueError(f'it holds a {name}, no plain value')

    def spend(self, number: int) -> None:
        """Count values."""
        self.left -= number
        if self.left < 0:
            raise ValueError('it unfolds to much more than the file holds')
