"""The fast ways to all boxes, compared with OpenCV's contours."""

import cv2
import numpy as np
import pytest

from mmocc.evaluation import box_sweep
from mmocc.evaluation.box_sweep import (
    euler_numbers,
    label_rects,
    sweep_thresholds,
)
from mmocc.evaluation.component_tree import component_boxes
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    contour_rects,
    mask_to_boxes,
    normalize_map,
    resize_map,
    threshold_levels,
    to_levels,
)

THRESHOLDS = np.arange(0, 1, 0.01)


def small_images(number):
    """Draw noise, smooth or not, with few levels or many."""
    rng = np.random.default_rng(0)
    for index in range(number):
        shape = rng.integers(1, 18, 2)
        image = rng.integers(0, rng.integers(2, 250), shape, np.uint8)
        if index % 3 == 0:
            image = cv2.GaussianBlur(image, (0, 0), 1)
        yield image, np.unique(rng.integers(0, 250, 6))


def cells_map(seed, cells=14, size=(224, 224)):
    rng = np.random.default_rng(seed)
    cam = resize_map(rng.standard_normal((cells, cells)), size)
    return to_levels(normalize_map(cam, 'minmax'))


def check_sweep(levels, gt_boxes, keep='all'):
    """Compare the sweep with a loop over the thresholds."""
    ious = sweep_thresholds(
        levels, THRESHOLDS, gt_boxes, largest=keep == 'largest_contour'
    )
    cuts = threshold_levels(THRESHOLDS, levels.max())
    expected = [
        box_iou_inclusive(mask_to_boxes(levels > cut, keep), gt_boxes).max()
        for cut in cuts
    ]
    np.testing.assert_array_equal(ious, expected)


@pytest.mark.parametrize('connectivity', [8, 4])
def test_the_tree_has_the_components_of_every_level(connectivity):
    for image, cuts in small_images(300):
        rects, places = component_boxes(image, cuts, connectivity)
        for place, cut in enumerate(cuts):
            mask = (image > cut).astype(np.uint8)
            stats = cv2.connectedComponentsWithStats(
                mask, connectivity=connectivity
            )[2]
            boxes = sorted(rects[places == place].tolist())
            assert boxes == sorted(stats[1:, :4].tolist())


def test_labels_and_contours_have_the_same_boxes_and_euler_numbers():
    for image, cuts in small_images(300):
        numbers = euler_numbers(image)
        for cut in cuts:
            mask = (image > cut).astype(np.uint8)
            boxes = sorted(map(tuple, label_rects(mask).tolist()))
            assert boxes == sorted(contour_rects(mask))
            # Pixels that touch at corners; holes do not reach the border.
            components = cv2.connectedComponents(mask, connectivity=8)[0] - 1
            padded = np.pad(1 - mask, 1, constant_values=1)
            holes = cv2.connectedComponents(padded, connectivity=4)[0] - 2
            assert numbers[cut] == components - holes


@pytest.mark.parametrize('cost', [0, 1300, 10**9])
@pytest.mark.parametrize('size', [(224, 224), (61, 40)])
def test_the_sweep_is_the_loop_whichever_way_holes_are_found(
    monkeypatch, cost, size
):
    monkeypatch.setattr(box_sweep, '_TREE_COST', cost)
    gt_boxes = np.array([[5, 7, 30, 39], [0, 0, 12, 20]])
    for seed in range(3):
        check_sweep(cells_map(seed, size=size), gt_boxes)


@pytest.mark.parametrize('most', [0, 5])
def test_a_loop_over_noise_gives_the_same(monkeypatch, most):
    monkeypatch.setattr(
        box_sweep,
        'component_boxes',
        lambda *args: component_boxes(*args, most_peaks=most),
    )
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 256, (50, 44), np.uint8)
    levels[0, :2] = 0, 255
    check_sweep(levels, np.array([[3, 3, 30, 30]]))


def test_the_largest_contour_is_that_of_the_loop():
    for seed in range(3):
        gt_boxes = np.array([[40, 60, 150, 200]])
        check_sweep(cells_map(seed), gt_boxes, 'largest_contour')


def test_only_ious_below_the_least_may_differ():
    gt_boxes = np.array([[100, 20, 160, 60]])
    for seed in range(5):
        levels = cells_map(seed)
        whole = sweep_thresholds(levels, THRESHOLDS, gt_boxes)
        part = sweep_thresholds(levels, THRESHOLDS, gt_boxes, 0.3)
        np.testing.assert_array_equal(
            np.where(whole >= 0.3, whole, 0), np.where(part >= 0.3, part, 0)
        )


def class_map(rng):
    """Draw a map of a few cells, plateaus or not, of any shape."""
    size = tuple(rng.integers(2, 120, 2).tolist())
    cells = resize_map(rng.standard_normal((rng.integers(1, 15), 7)), size)
    levels = to_levels(normalize_map(cells, 'minmax'))
    if rng.random() < 0.5:  # wide plateaus
        levels -= levels % np.uint8(rng.integers(2, 60))
    return levels


def test_the_sweep_is_the_loop_for_any_smooth_map():
    rng = np.random.default_rng(7)
    for _ in range(20):
        levels = class_map(rng)
        height, width = levels.shape
        ends = [width, height, width, height]
        corners = (rng.random((2, 4)) * ends).astype(int)
        gt_boxes = np.concatenate(
            [corners.min(axis=0)[None, :2], corners.max(axis=0)[None, 2:]], 1
        )
        gt_boxes[:, 2:] = np.maximum(gt_boxes[:, 2:], gt_boxes[:, :2])
        for keep in ('all', 'largest_contour'):
            check_sweep(levels, gt_boxes, keep)


def test_a_flat_map_gives_the_box_of_nothing():
    flat = np.zeros((8, 8), np.uint8)
    ious = sweep_thresholds(flat, THRESHOLDS, np.array([[0, 0, 1, 1]]))
    np.testing.assert_array_equal(ious, np.full(100, 0.25))


@pytest.mark.parametrize('size', [(300, 280), (448, 448), (40, 2000)])
def test_a_grid_of_any_size_has_a_tree(size):
    for seed, cells in enumerate((5, 14)):
        levels = cells_map(seed, cells, size)
        assert component_boxes(levels, np.array([5])) is not None
        check_sweep(levels, np.array([[4, 6, 150, 20]]))
        check_sweep(levels, np.array([[4, 6, 150, 20]]), 'largest_contour')
