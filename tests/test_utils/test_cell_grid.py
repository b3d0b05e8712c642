"""Maps drawn where their cells lie."""

import cv2
import numpy as np
import pytest
from conftest import ROOT

from mmocc.datasets.wsol.metadata import (
    read_image_sizes,
    read_localization,
)
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    enlarge_map,
    map_to_boxes,
)
from mmocc.utils.cell_grid import (
    CellGrid,
    cell_weights,
    check_align,
    place_map,
)

CUB = ROOT.parent / 'shared/data/wsol_metadata_cub/test'
RNG = np.random.default_rng(0)


@pytest.mark.parametrize('size', [(224, 224), (30, 77), (7, 5)])
def test_cells_that_lie_evenly_give_opencvs_bicubic(size):
    cam = RNG.normal(size=(7, 5))
    ours = place_map(cam, size, CellGrid.even((7, 5)))
    theirs = cv2.resize(cam, size[::-1], interpolation=cv2.INTER_CUBIC)
    # OpenCV's weights are float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_cell_is_drawn_at_its_centre():
    # ResNet: cell i is centred on the pixel 16 i, of 224
    cells = CellGrid((0.5 / 224, 0.5 / 224), (16 / 224, 16 / 224))
    cam = np.zeros((14, 14))
    cam[3, 5] = 1
    drawn = place_map(cam, (224, 224), cells)
    assert np.unravel_index(drawn.argmax(), drawn.shape) == (48, 80)
    assert drawn[48, 80] == 1
    evenly = place_map(cam, (224, 224), CellGrid.even((14, 14)))
    assert evenly[55:57, 87:89].min() > evenly.max() - 1e-9  # 7.5 further
    # Twice as large an image, the same shares of it
    drawn = place_map(cam, (448, 448), cells)
    assert np.unravel_index(drawn.argmax(), drawn.shape) in (
        (96, 160),
        (97, 161),
    )
    # Beyond the last centre, at 208, its cell goes on
    cam[13, 13] = 2
    drawn = place_map(cam, (224, 224), cells)
    assert drawn[208, 208] == 2
    assert drawn[223, 223] == pytest.approx(2, abs=0.05)


def test_weights_add_up_to_one():
    weights = cell_weights(0.1, 0.2, 4, 50)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_an_enlarged_map_keeps_its_place():
    cells = CellGrid((31 / 224 + 0.5 / 224,) * 2, (16 / 224,) * 2)
    refined = cells.refined((11, 11), (224, 224))
    # A pixel of the enlarged map covers 11/224 of a cell
    for pixel in (10, 100.5):
        cell = (pixel + 0.5) * 11 / 224 - 0.5
        expected = cells.first[0] + cell * cells.step[0]
        found = refined.first[0] + pixel * refined.step[0]
        assert found == pytest.approx(expected)
    assert CellGrid.even((4, 4)).refined((4, 4), (8, 8)).first == (
        pytest.approx(CellGrid.even((8, 8)).first)
    )
    with pytest.raises(ValueError, match='grid, receptive_field'):
        check_align('centre')


@pytest.mark.parametrize('value', [0.1, 1 / 3, -2.7, 1e30])
def test_a_constant_map_has_no_scale_however_it_is_resized(value):
    cam = np.full((7, 7), value)  # float64: resizing rounds
    cells = CellGrid((0.03, 0.03), (0.11, 0.11))
    for where in (None, cells):
        assert not enlarge_map(cam, (224, 224), 'minmax', where).any()
        boxes = map_to_boxes(cam, 0.2, 'all', 'minmax', (50, 60), where)
        assert boxes.tolist() == [[0, 0, 0, 0]]
        boxes = map_to_boxes(cam, 0.2, size=(50, 60), cells=where)
        whole = [0, 0, 59, 49] if value > 0 else [0, 0, 0, 0]
        assert boxes.tolist() == [whole]


def test_bicubic_overshoot_gives_a_negative_map_no_foreground():
    cam = np.full((4, 4), -1.0)
    cam[1:3, 1:3] = 0
    assert cv2.resize(cam, (40, 40), interpolation=cv2.INTER_CUBIC).max() > 0
    assert not enlarge_map(cam, (40, 40), 'max').any()


def test_a_perfect_box_through_alexnets_stretch():
    """Cells of AlexNet-GAP see 16 i + 31; drawn evenly, 20.4 i + 9.7."""
    cells = CellGrid((31.5 / 224,) * 2, (16 / 224,) * 2)
    centres = 31.5 + 16 * np.arange(11)
    box = np.array([60, 70, 150, 160])
    inside = [
        (centres >= start) & (centres < end)
        for start, end in ((box[1], box[3]), (box[0], box[2]))
    ]
    cam = np.outer(*inside).astype(float)
    ious = {}
    for name, where in dict(even=None, aligned=cells).items():
        found = map_to_boxes(cam, 0.5, size=(224, 224), cells=where)
        ious[name] = float(box_iou_inclusive(found, box[None])[0, 0])
    assert ious['aligned'] > 0.85
    assert ious['even'] < 0.75


# First centre (index of a pixel of 224), step and number of cells; the mean
# IoU of CUB's boxes with themselves, drawn evenly.
DISPLACED = {
    'vgg': (7.5, 16, 14, 1.0),
    'googlenet': (14, 16, 14, 0.805),
    'resnet50': (0, 16, 14, 0.781),
    'alexnet': (31, 16, 11, 0.656),
    'efficientnet-lite0': (31, 32, 7, 0.609),
}


@pytest.mark.skipif(not CUB.is_dir(), reason=f'{CUB}: no trial data')
@pytest.mark.parametrize('name', DISPLACED)
def test_a_perfect_box_through_each_networks_displacement(name):
    first, step, count, expected = DISPLACED[name]
    cells = CellGrid(((first + 0.5) / 224,) * 2, (step / 224,) * 2)
    even = CellGrid.even((count, count))
    sizes = read_image_sizes(CUB)
    boxes = np.concatenate(
        [
            box / np.tile(sizes[image], 2)
            for image, box in read_localization(CUB).boxes.items()
        ]
    )
    assert len(boxes) == 5794
    # Where a box's ends lie among the cells, and where these are drawn
    place = (boxes - cells.first[0]) / cells.step[0]
    drawn = np.clip(even.first[0] + place * even.step[0], 0, 1)
    start = np.maximum(boxes[:, :2], drawn[:, :2])
    shared = (np.minimum(boxes[:, 2:], drawn[:, 2:]) - start).clip(0)
    shared = shared.prod(axis=1)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, drawn)]
    iou = shared / (sum(areas) - shared)
    assert iou.mean() == pytest.approx(expected, abs=5e-4)
