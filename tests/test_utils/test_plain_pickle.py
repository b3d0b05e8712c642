"""Pickles give plain values, arrays and tensors, and run nothing."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmocc.utils.plain_pickle import load_plain


class RunsOnLoading:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


class Storage:
    """A pickle of it asks torch to load other pickled bytes."""

    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


def write(path, content, protocol=None):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize('protocol', [2, 4])
def test_plain_values_arrays_and_tensors_come_back(tmp_path, protocol):
    grid = torch.arange(12.0).view(3, 4)
    content = dict(
        names=['a', b'b', 3, 2.5, None, True],
        array=np.arange(3),
        number=np.float32(7),
        tensors=OrderedDict(part=grid[1:, ::2], half=grid.half()),
        labels=torch.tensor([1, 2]),
    )
    path = write(tmp_path / 'a.pkl', content, protocol)
    found = load_plain(path, tensors=True)
    assert found['names'] == content['names']
    assert found['array'].tolist() == [0, 1, 2]
    assert found['number'] == 7
    for name, tensor in content['tensors'].items():
        assert torch.equal(found['tensors'][name], tensor)
    assert torch.equal(found['labels'], content['labels'])
    with pytest.raises(ValueError, match=r'a\.pkl cannot be read: it holds a'):
        load_plain(path)


@pytest.mark.parametrize('tensors', [True, False])
def test_nothing_is_run(tmp_path, tensors):
    trace = tmp_path / 'trace'
    path = write(tmp_path / 'a.pkl', [1, RunsOnLoading(trace)])
    with pytest.raises(ValueError, match=r'it holds a _?io\.open'):
        load_plain(path, tensors)
    nested = tmp_path / 'nested'
    torch.save(RunsOnLoading(trace), nested)
    path = write(tmp_path / 'b.pkl', Storage(nested.read_bytes()))
    with pytest.raises(ValueError, match=r'b\.pkl cannot be read'):
        load_plain(path, tensors)
    path = write(
        tmp_path / 'c.pkl', Storage(pickle.dumps(RunsOnLoading(trace)))
    )
    with pytest.raises(ValueError, match=r'c\.pkl cannot be read'):
        load_plain(path, tensors)
    assert not trace.exists()


@pytest.mark.parametrize('content', [b'', b'no pickle', b'\x80\x04N'])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.pkl cannot be read'):
        load_plain(path, tensors=True)
