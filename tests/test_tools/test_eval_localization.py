"""The scoring tool: the published anchors, stored maps, and bad input."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import wsol_layouts as layouts
from conftest import ROOT, import_tool

from mmocc.datasets.wsol.metadata import (
    read_image_sizes,
    read_localization,
)
from mmocc.evaluation.pixel_precision import read_mask
from mmocc.evaluation.stored_maps import MapFolder
from mmocc.utils.cell_grid import CellGrid

TOOL = ROOT / 'tools' / 'analysis_tools' / 'eval_localization.py'
CUB = ROOT.parent / 'shared' / 'data' / 'wsol_metadata_cub'


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs the tool here: status and output."""
    tool = import_tool(TOOL)
    monkeypatch.chdir(tmp_path)

    def call(*args):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        return tool.main(), capsys.readouterr()

    return call


def score(run, *args):
    status, output = run(*args, '--json', 'out.json')
    assert status == 0, output.err
    document = json.loads(Path('out.json').read_text())
    for name, value in document['metrics'].items():
        assert f'{name:32}{value:8.3f}' in output.out
    return document['images'], document['metrics']


@pytest.mark.skipif(not CUB.is_dir(), reason=f'{CUB}: no trial data')
@pytest.mark.parametrize(
    'split, maps, anchors',
    [
        ('test', 'full-image', (53.95, 18.95, 4.56)),
        ('val', 'full-image', (37.40, 9.20, 2.20)),
        ('test', 'gaussian', (93.91, 59.60, 17.00)),
    ],
)
def test_the_anchors_of_the_reference(run, split, maps, anchors):
    images, metrics = score(run, CUB / split, '--maps', maps)
    assert images == dict(test=5794, val=1000)[split]
    values = [metrics[f'max_box_acc/v2_iou{iou}'] for iou in (30, 50, 70)]
    assert np.round(values, 2).tolist() == list(anchors)
    assert metrics['max_box_acc/v2'] == pytest.approx(np.mean(values))
    assert metrics['max_box_acc/v1'] == metrics['max_box_acc/v2_iou50']
    if maps == 'gaussian':
        assert round(metrics['max_box_acc/v2'], 2) in (56.83, 56.84)


def write_maps(folder, boxes):
    """Write maps of the images' size that are 1 in a box."""
    for image_id, (x1, y1, x2, y2) in boxes.items():
        cam = np.zeros((30, 40))
        cam[y1:y2, x1:x2] = 1
        path = folder / f'{image_id}.npy'
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, cam)


def test_stored_maps_are_scored_by_image_id(run, tmp_path):
    layouts.write_metadata(tmp_path)
    folder = tmp_path / 'metadata/test'
    write_maps(
        tmp_path / 'maps',
        {'a/1.png': (4, 6, 20, 25), 'b/2.png': (30, 0, 40, 9)},
    )
    images, metrics = score(run, folder, '--maps', 'maps')
    assert images == 2
    assert metrics['max_box_acc/v2'] == 50  # the second misses
    assert metrics['max_box_acc/v1'] == 50
    for image_id, value in (('a/1.png', np.nan), ('b/2.png', -1.0)):
        np.save(tmp_path / f'maps/{image_id}.npy', np.full((30, 40), value))
    _, metrics = score(run, folder, '--maps', 'maps')
    assert metrics['max_box_acc/v2'] == 0  # blank maps are misses


def test_dumped_maps_are_scored_where_their_cells_lie(run, run_tool, tmp_path):
    layouts.write_metadata(tmp_path)
    folder = tmp_path / 'metadata/test'
    ids = (folder / 'image_ids.txt').read_text().split()
    truth = read_localization(folder).boxes
    sizes = read_image_sizes(folder)
    # Cells of which the second lies in the middle of the box
    maps = MapFolder(tmp_path / 'maps')
    for name in ids:
        box = truth[name][0]
        width, height = sizes[name]
        middle = (box[1] + box[3]) / 2 / height, (box[0] + box[2]) / 2 / width
        step = (box[3] - box[1]) / height, (box[2] - box[0]) / width
        first = tuple(m - s for m, s in zip(middle, step, strict=True))
        cam = np.zeros((5, 5))
        cam[1, 1] = 1e-7  # float16 alone would lose it
        cells = CellGrid(tuple(map(float, first)), tuple(map(float, step)))
        maps.add(name, cam, cells)
    maps.write_manifest()
    stored = np.load(tmp_path / f'maps/{ids[0]}.npy')
    assert stored.dtype == np.float16 and stored.max() == 1
    _, even = score(run, folder, '--maps', 'maps')
    align = ('--maps', 'maps', '--align', 'receptive_field')
    _, aligned = score(run, folder, *align)
    assert aligned['max_box_acc_aligned/v1'] == 100
    assert even['max_box_acc/v1'] < 100
    at = aligned['max_box_acc_aligned/v1_threshold']
    _, one = score(run, folder, *align, '--threshold', at)
    assert one['max_box_acc_aligned/v1'] == 100
    result = run_tool(
        TOOL, folder, *align, '--threshold', at, '--workers', 2,
        '--json', tmp_path / 'two.json',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    two = json.loads((tmp_path / 'two.json').read_text())['metrics']
    assert two == one
    (tmp_path / 'maps/manifest.json').write_text('{"groups": [{}]}')
    status, output = run(folder, *align)
    assert status == 1 and 'manifest.json: no manifest of maps' in output.err
    (tmp_path / 'maps/manifest.json').unlink()
    status, output = run(folder, *align)
    assert status == 1 and '--align grid' in output.err


def test_masks_are_scored_by_px_ap(run, tmp_path):
    layouts.write_masks(tmp_path)
    folder = tmp_path / 'metadata/val'
    write_maps(
        tmp_path / 'maps',
        {'a/1.png': (0, 0, 20, 20), 'b/2.png': (0, 10, 40, 20)},
    )
    arguments = ('--mask-root', tmp_path)
    _, metrics = score(run, folder, '--maps', 'maps', *arguments)
    assert list(metrics) == ['px_ap/px_ap']
    assert 60 < metrics['px_ap/px_ap'] < 100
    _, flat = score(run, folder, '--maps', 'full-image', *arguments)
    masks = [
        read_mask([tmp_path / name for name in names], ignore)
        for names, ignore in (
            (('a/1_m.png', 'a/1_n.png'), tmp_path / 'a/1_ignore.png'),
            (('b/2_m.png',), None),
        )
    ]
    counts = sum(np.bincount(mask.ravel(), minlength=256) for mask in masks)
    assert counts[255] > 0  # ignored pixels are in neither share
    share = 100 * counts[1] / (counts[0] + counts[1])
    assert flat['px_ap/px_ap'] == pytest.approx(share)


def test_messages_name_the_file_at_fault(run, tmp_path):
    layouts.write_metadata(tmp_path)
    folder, maps = tmp_path / 'metadata/test', tmp_path / 'maps'

    def refuse(folder=folder):
        status, output = run(folder, '--maps', 'maps')
        assert status == 1
        return output.err

    assert 'maps: no such folder' in refuse()
    write_maps(maps, {'a/1.png': (0, 0, 5, 5)})
    assert 'b/2.png.npy: no such map' in refuse()
    np.save(maps / 'a/1.png.npy', np.array([{}], object))
    assert 'a/1.png.npy: no array of numbers' in refuse()
    np.save(maps / 'a/1.png.npy', np.zeros((2, 3, 4)))
    assert 'a/1.png.npy: float64 of the shape (2, 3, 4)' in refuse()
    boxes = folder / 'localization.txt'
    boxes.write_text('a/1.png,1,2,3,4\n')
    assert 'localization.txt: no line for 1 of 2' in refuse()
    boxes.write_text('a/1.png,1,2,3\n')
    assert 'localization.txt, line 1' in refuse()
    assert 'image_ids.txt: no such file' in refuse(tmp_path)
