"""The reader gives back what NumPy wrote, and never runs any of it."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from mmocc.utils import npz_reader
from mmocc.utils.npz_reader import parse_npy, read_npz


class Evil:
    """Unpickled, it calls ``function(*args)``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def as_object_member(payload, shape=()):
    """Return the bytes of a .npy file with a pickle of ``payload``."""
    stream = io.BytesIO()
    header = {'descr': '|O', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(stream, header)
    body = payload if isinstance(payload, bytes) else pickle.dumps(payload, 4)
    return stream.getvalue() + body


def objects(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


ARRAYS = {
    'numbers': np.arange(6, dtype=np.float32),
    'fortran': np.asfortranarray(np.arange(12).reshape(3, 4)),
    'big_endian': np.arange(3, dtype='>i2'),
    'nothing': np.zeros((0, 6), np.float32),
    'mask': np.eye(3, dtype=bool),
    'text': np.array('bicycle'),
    'no_mask': np.array(None, object),
    'mixed': objects('a', b'b', 3, 2.5, True, None, np.str_('é'), np.int64(7)),
    'ragged': objects(np.ones((1, 6), 'f4'), np.full((2, 6), -1, 'f4')),
}


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
@pytest.mark.parametrize('key', ARRAYS)
def test_every_kind_of_member_reads_as_numpy_reads_it(tmp_path, key, save):
    save(tmp_path / 'a.npz', **ARRAYS)
    ours = read_npz(tmp_path / 'a.npz', [key])[key]
    theirs = np.load(tmp_path / 'a.npz', allow_pickle=True)[key]
    assert (ours.shape, ours.dtype.kind) == (theirs.shape, theirs.dtype.kind)
    for one, other in zip(ours.ravel(), theirs.ravel(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('protocol', [2, 3, 4])
def test_the_pickles_of_old_and_new_numpy_are_read(protocol):
    body = pickle.dumps(ARRAYS['ragged'], protocol)
    for name in (b'numpy._core.multiarray', b'numpy.core.multiarray'):
        if protocol < 4:  # there the name has no length in front
            body = body.replace(b'numpy._core.multiarray', name)
        array = parse_npy(as_object_member(body, (2,)))
        np.testing.assert_array_equal(array[1], ARRAYS['ragged'][1])


@pytest.mark.parametrize(
    'wrap',
    [
        lambda evil: evil,
        lambda evil: np.array(evil, object),
        lambda evil: objects('a', evil),
        lambda evil: objects(objects(evil)),
        lambda evil: np.array({'a': evil}, object),
    ],
)
@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, wrap, protocol):
    trace = tmp_path / 'trace'
    payload = wrap(Evil(os.mkdir, str(trace)))
    member = as_object_member(pickle.dumps(payload, protocol))
    path = tmp_path / 'evil.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('mask.npy', member)
        archive.writestr('box.npy', as_object_member(np.array(None, object)))
    read_npz(path, ['box'])  # the other member is not even opened
    with pytest.raises(
        ValueError, match=r"evil\.npz, member 'mask'.*nothing in it was run"
    ):
        read_npz(path, ['mask'])
    assert not trace.exists()
    np.load(path, allow_pickle=True)['mask']  # the attack itself is real
    assert trace.exists()


@pytest.mark.parametrize(
    ('payload', 'message'),
    [
        (b'\x80\x02X\x04\x00\x00\x00true.', 'not what its header says'),
        (b'\x80\x02]q\x00h\x00a.', 'unfolds'),
        (pickle.dumps(np.zeros(1)), 'not what its header says'),
        (pickle.dumps(objects(1, 2)), 'not what its header says'),
        (pickle.dumps(objects(objects(1))), 'inside another'),
        (pickle.dumps(objects({'a': 1})), 'an element is a dict'),
    ],
)
def test_other_pickles_are_refused(payload, message):
    with pytest.raises(ValueError, match=message):
        parse_npy(as_object_member(payload))


@pytest.mark.parametrize('shape', [(9,), (-1,), (-2, -3), (2**62, 4)])
def test_a_header_that_promises_another_size_is_refused(shape):
    stream = io.BytesIO()
    header = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(ValueError, match='24 bytes are no array'):
        parse_npy(stream.getvalue() + bytes(24))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.npz: no such annot'):
        read_npz(tmp_path / 'a.npz', ['box'])


def test_a_missing_member_is_named_with_those_there(tmp_path):
    np.savez(tmp_path / 'a.npz', mask=1)
    with pytest.raises(ValueError, match=r"a\.npz: has no member 'box', only"):
        read_npz(tmp_path / 'a.npz', ['box'])


@pytest.mark.parametrize('damage', [b'', b'PK\x03\x04 no archive', 'half'])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / 'a.npz'
    if damage == 'half':
        np.savez(path, box=np.zeros(999))
        damage = path.read_bytes()[:900]
    path.write_bytes(damage)
    with pytest.raises(ValueError, match=r'a\.npz: not a readable'):
        read_npz(path, ['box'])


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, box=np.zeros(99))
    data = bytearray(path.read_bytes())
    data[400] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.npz: not a readable.*CRC'):
        read_npz(path, ['box'])


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_reader, 'MAX_MEMBER_BYTES', 2**20)
    np.savez_compressed(tmp_path / 'a.npz', box=np.zeros(2**18))
    assert (tmp_path / 'a.npz').stat().st_size < 2**14
    with pytest.raises(ValueError, match=r"'box' would be 2097280 bytes"):
        read_npz(tmp_path / 'a.npz', ['box'])
