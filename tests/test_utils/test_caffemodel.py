"""Weights of Caffe's files, which the test writes byte by byte."""

import sys

import caffe_files
import numpy as np
import pytest

from mmocc.utils.caffemodel import net_parameter, read_caffemodel

RNG = np.random.default_rng(0)
LAYERS = {
    'conv1': caffe_files.random_layer(RNG, (5, 3, 2, 200)),
    'fc/one': caffe_files.random_layer(RNG, (300, 7)),
    'alone': caffe_files.random_layer(RNG, (4, 2))[:1],
}


@pytest.fixture
def needs_protobuf():
    pytest.importorskip('google.protobuf')


@pytest.mark.usefixtures('needs_protobuf')
@pytest.mark.parametrize('old', [True, False])
def test_layers_are_read_by_name(old, tmp_path):
    path = tmp_path / 'net.caffemodel'
    caffe_files.write(path, LAYERS, old)
    found = read_caffemodel(path)
    assert list(found) == list(LAYERS)  # no 'data', which has no weights
    for name, arrays in LAYERS.items():
        assert len(found[name]) == len(arrays)
        for ours, theirs in zip(found[name], arrays, strict=True):
            leading = (1,) * (4 - theirs.ndim) if old else ()
            assert ours.shape == leading + theirs.shape
            assert ours.dtype == np.float32
            assert np.array_equal(ours.reshape(theirs.shape), theirs)


@pytest.mark.usefixtures('needs_protobuf')
def test_double_numbers_are_read(tmp_path):
    path = tmp_path / 'net.caffemodel'
    data = caffe_files.field(8, np.array([1.5, -2.0], '<f8').tobytes())
    shape = caffe_files.field(7, caffe_files.field(1, bytes([2])))
    layer = caffe_files.field(1, b'a') + caffe_files.field(7, data + shape)
    path.write_bytes(caffe_files.field(100, layer))
    (array,) = read_caffemodel(path)['a']
    assert array.tolist() == [1.5, -2.0] and array.dtype == np.float32


@pytest.mark.usefixtures('needs_protobuf')
def test_files_that_hold_no_weights_are_named(tmp_path):
    path = tmp_path / 'net.caffemodel'
    with pytest.raises(FileNotFoundError):
        read_caffemodel(path)
    path.write_text('name: "AlexNet"')
    with pytest.raises(ValueError, match=r'net\.caffemodel is no'):
        read_caffemodel(path)
    caffe_files.write(path, {})
    with pytest.raises(ValueError, match=r'\.prototxt'):
        read_caffemodel(path)
    data = caffe_files.field(5, bytes(8))
    shape = caffe_files.field(7, caffe_files.field(1, bytes([3])))
    layer = caffe_files.field(1, b'a') + caffe_files.field(7, data + shape)
    path.write_bytes(caffe_files.field(100, layer))
    with pytest.raises(ValueError, match=r"'a' has 2 numbers .* \(3,\)"):
        read_caffemodel(path)


def test_without_protobuf_the_remedy_is_named(monkeypatch, tmp_path):
    for name in ('google', 'google.protobuf'):
        monkeypatch.setitem(sys.modules, name, None)
    net_parameter.cache_clear()
    with pytest.raises(ImportError, match='pip install "protobuf'):
        read_caffemodel(tmp_path / 'net.caffemodel')
