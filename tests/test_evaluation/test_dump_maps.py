"""Class maps on disk: what is written is what is read."""

import numpy as np
import pytest
import torch

from mmocc.evaluation import DumpMaps
from mmocc.evaluation.stored_maps import (
    MapFolder,
    map_path,
    pack_map,
    read_manifest,
    read_map,
)
from mmocc.utils.cell_grid import CellGrid

CELLS = CellGrid((0.1, 0.2), (0.3, 0.25))


def sample(name, cam, **fields):
    return dict(image_id=name, gt_cam=torch.tensor(cam), **fields)


def test_the_maps_of_a_test_set_are_written_with_their_cells(tmp_path):
    metric = DumpMaps(str(tmp_path / 'maps'))
    cam = [[0.0, -2.0], [4.0, 1.0]]
    samples = [
        sample('a/1.jpg', cam, map_cells=tuple(CELLS)),
        sample('b.jpg', cam),
        sample('a/1.jpg', cam, map_cells=tuple(CELLS)),  # fills up a batch
    ]
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])
    assert metric.evaluate(2) == {'dump/maps': 2}
    for name in ('a/1.jpg', 'b.jpg'):
        stored = read_map(map_path(tmp_path / 'maps', name))
        assert stored.dtype == np.float16
        assert stored.tolist() == [[0, -0.5], [1, 0.25]]
    known = read_manifest(tmp_path / 'maps')
    assert known == {'a/1.jpg': CELLS, 'b.jpg': None}
    assert read_manifest(tmp_path) is None
    with pytest.raises(ValueError, match=r"'image_id'.*WSOLDataset"):
        metric.process({}, [dict(gt_cam=torch.zeros(2, 2))])
    with pytest.raises(ValueError, match=r"'gt_cam'.*CAMHead"):
        metric.process({}, [dict(image_id='a')])


@pytest.mark.parametrize('scale', [1e-9, 1.0, 1e30])
def test_float16_keeps_the_shape_of_a_map_of_any_scale(scale):
    cam = scale * np.random.default_rng(0).normal(size=(7, 7))
    packed = pack_map(cam).astype(float)
    assert pack_map(cam).dtype == np.float16
    np.testing.assert_allclose(packed, cam / np.abs(cam).max(), atol=1e-3)


def test_a_map_that_float16_would_flatten_is_float32():
    cam = 1 + 1e-4 * np.arange(4.0).reshape(2, 2)
    packed = pack_map(cam)
    assert packed.dtype == np.float32
    assert len(np.unique(packed)) == 4
    for blank in (np.zeros((2, 2)), np.full((2, 2), np.nan)):
        np.testing.assert_array_equal(pack_map(blank), blank)


@pytest.mark.parametrize('name', ['../a', '/a', 'b/../../a'])
def test_no_map_is_written_outside_its_folder(tmp_path, name):
    with pytest.raises(ValueError, match='within a folder'):
        MapFolder(tmp_path / 'maps').add(name, np.zeros((2, 2)))
    assert not list(tmp_path.iterdir())
