"""Pickles give plain values and arrays; nothing in them is run."""

import collections
import copyreg
import os
import pickle
import time
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from numpy._core.multiarray import _reconstruct

from mmocc.datasets.anomaly.boxes import read_detections
from mmocc.utils.plain_pickle import load_plain, loads_plain

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Call:
    """Unpickled, it calls ``function(*args)`` and sets a state."""

    def __init__(self, function, args, *state):
        self.reduced = function, args, *state

    def __reduce__(self):
        return self.reduced


def array(shape, code, body, order='<', parts=(None,) * 3):
    """Return what is pickled as an array that says this of itself."""
    state = (3, order, *parts, -1, -1, 0)
    dtype = Call(np.dtype, (code, False, True), state)
    empty = np.ndarray, (0,), b'b'
    return Call(_reconstruct, empty, (1, shape, dtype, False, body))


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_plain_values_arrays_and_tensors_come_back(tmp_path, protocol):
    grid = torch.arange(12.0).view(3, 4)
    content = dict(
        values=['a', b'b', b'', 3, 1 << 70, 2.5, None, True, (1, [])],
        number=np.float32(7),
        text=np.str_('é'),
        arrays=[
            np.asfortranarray(np.arange(12, dtype='>i2').reshape(3, 4)),
            np.zeros((0, 5)),
            np.array(['bus', 'car']),
            np.array([1, None, 'a', np.ones(2)], object),
        ],
    )
    tensors = collections.OrderedDict(
        part=grid[1:, ::2],
        half=grid.half(),
        none=torch.zeros(0, 4),
        one=torch.tensor(3),
        flags=torch.tensor([True, False]),
    )
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(dict(content, tensors=tensors), protocol))
    loaded = load_plain(path)
    for key in ('values', 'number', 'text'):
        assert loaded[key] == content[key]
    for ours, other in zip(loaded['arrays'], content['arrays'], strict=True):
        assert (ours.shape, ours.dtype.kind) == (other.shape, other.dtype.kind)
        for one, two in zip(ours.ravel(), other.ravel(), strict=True):
            np.testing.assert_array_equal(one, two)
    for name, tensor in tensors.items():
        assert loaded['tensors'][name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(loaded['tensors'][name], tensor)


def refuses(path):
    """Check that a file of detections is refused by its name."""
    message = f"{path} cannot be read: refused, nothing.*dtype 'V8'"
    with pytest.raises(ValueError, match=message):
        read_detections(path, 0.5)


def test_a_crafted_dtype_does_not_make_numpy_follow_an_address(tmp_path):
    # NumPy takes the bytes for addresses of objects if the dtype says so.
    fields = ('a',), {'a': (np.dtype('O'), 0)}
    crafted = array((2,), 'V8', b'A' * 16, '|', (None, *fields))
    path = tmp_path / 'detections.pkl'
    path.write_bytes(pickle.dumps({'a.png': crafted}))
    # In another process, since a failure would be a crash.
    process = get_context('fork').Process(target=refuses, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_nothing_is_run(tmp_path, protocol):
    trace = tmp_path / 'trace'
    evil = Call(os.mkdir, (str(trace),))
    nested = tmp_path / 'nested'
    torch.save(evil, nested, _use_new_zipfile_serialization=False)
    storage = Call(torch.storage._load_from_bytes, (nested.read_bytes(),))
    path = tmp_path / 'a.pkl'
    for content in ([1, evil], {'a': (evil,)}, np.array(evil), storage):
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(ValueError, match=r'a\.pkl cannot be read: refuse'):
            load_plain(path)
    assert not trace.exists()


def text(value):
    """Return the opcodes that push a text."""
    return b'X' + len(value).to_bytes(4, 'little') + value


ENCODE = b'c_codecs\nencode\nh\x00h\x01\x86R'
MILLION = 1_000_000
BIG = np.zeros(100_000)
LOOP: list = []
LOOP.append(LOOP)
BOMB: list = [1] * 10
for _ in range(20):
    BOMB = [BOMB] * 10


@pytest.mark.parametrize(
    ('payload', 'message'),
    [
        (getattr, r'builtins\.getattr'),
        (Call(copyreg._reconstructor, (dict, object, None)), r'copyreg\.'),
        (np.load, r'asks for numpy\.load'),
        (np.ma.masked_array([1]), r'numpy\.ma'),
        (np.ndarray, r'holds a numpy\.ndarray'),
        ({1, 2}, 'opcode'),
        (slice(1), 'slice'),
        (b'cos\nsystem\n(S"true"\ntR.', r'os\.system'),
        (b'(S"true"\nios\nsystem\n.', 'opcode'),
        (b'\x80\x02cnumpy\nndarray\n}X\x01\0\0\0aK\x01sb.', 'sets the state'),
        (b'\x80\x02c_codecs\nencode\n}X\x01\0\0\0aK\x01sb.', 'sets the state'),
        (b'\x82\x01.', 'opcode'),
        (b'', 'too early'),
        (b'no pickle', 'refused'),
        (b'\x80\x04N', 'too early'),
        (b'\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.', 'too early'),
        (b'\x80\x04r\xff\xff\xff\xff.', 'refused'),
        # dtypes
        (np.zeros(2, 'i4,f4'), "dtype 'V8'"),
        (np.zeros(1, 'M8[D]'), "dtype 'M8'"),
        (array((1,), 'f4', b'1234', parts=((2, 2), None, None)), 'with parts'),
        (array((1,), 'f4', b'1234', order='x'), 'with parts'),
        (array((1,), 'O8', b'12345678', '|'), 'dtype O8 with parts'),
        (array((1,), 'f4', ['a']), 'inside another'),
        (np.array([1, [2]], object), 'an element is a list'),
        (np.array([np.array([1], object), 1], object), 'inside another'),
        # sizes
        (array((9,), 'u1', b'123'), '3 bytes are no array'),
        (array((-1,), 'u1', b'123'), 'no shape'),
        (array((True,), 'u1', b'1'), 'no shape'),
        (array((2**70, 0), 'u1', b''), '0 bytes are no array'),
        (array((1,) * 40, 'u1', b'1'), '1 bytes are no array'),
        (torch.zeros(1).expand(10**9), 'exceeds its storage'),
        (torch.zeros(1, dtype=torch.bfloat16), 'BFloat16Storage'),
        # what would take time or memory without end, or crash
        (LOOP, 'nested more than 32'),
        (BOMB, 'unfolds'),
        ([BIG] * 10_000, 'unfolds'),
        ([torch.zeros(100_000)] * 10_000, 'unfolds'),
        (
            b'\x80\x02(%bq\x00%bq\x01%bt.'
            % (text(b'a' * MILLION), text(b'latin1'), ENCODE * 10_000),
            'unfolds',
        ),
        (b'\x80\x04' + b']' * 9999 + b'a' * 9998 + b'.', 'nested more than'),
        (b'\x80\x04})%bK\x01s.' % (b'\x85' * MILLION), 'a key that is'),
    ],
)
def test_other_pickles_are_refused_at_once(payload, message):
    bytes_given = isinstance(payload, bytes)
    data = payload if bytes_given else pickle.dumps(payload)
    begin = time.process_time()
    with pytest.raises(ValueError, match=message):
        loads_plain(data)
    assert time.process_time() - begin < 9


def test_a_tensor_stays_within_its_storage():
    data = pickle.dumps(torch.arange(12.0).view(3, 4)[1:, ::2], 2)
    offset = b'K\x04'
    assert data.count(offset + b'K\x02K\x02\x86') == 1
    longer = data.replace(offset + b'K\x02K\x02', offset + b'K\x09K\x02')
    for changed in (longer, data.replace(offset + b'K\x02', b'K\x0bK\x02')):
        with pytest.raises(ValueError, match='exceeds its storage'):
            loads_plain(changed)
