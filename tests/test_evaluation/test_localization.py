"""Maps to boxes: values of the reference's tests, and maps that go wrong."""

import numpy as np
import pytest

from mmocc.evaluation.localization import (
    box_iou_inclusive,
    map_to_boxes,
    normalize_map,
    resize_map,
    scale_boxes,
)

THRESHOLDS = np.arange(0, 1, 0.2)
# Maps and boxes of the unit tests of clovaai/wsolevaluation.
ONE_PEAK = [
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.4, 0.4, 0.4, 0.6],
    [0.0, 0.4, 1.0, 0.8, 0.6],
    [0.0, 0.4, 0.4, 0.4, 0.6],
]
TWO_PEAKS = [
    [0.4, 0.0, 0.2, 0.2, 0.2],
    [0.4, 0.4, 0.0, 0.4, 0.0],
    [0.0, 0.0, 0.0, 0.4, 0.0],
    [1.0, 0.6, 0.8, 0.2, 0.2],
]
ONE_PEAK_BOXES = [
    [1, 1, 4, 3], [1, 1, 4, 3], [2, 1, 4, 3], [2, 2, 4, 3], [2, 2, 3, 3]
]  # fmt: skip
TWO_PEAKS_BOXES = [
    [0, 0, 4, 3], [0, 0, 2, 2], [0, 3, 3, 3], [2, 3, 3, 3], [0, 3, 1, 3]
]  # fmt: skip


@pytest.mark.parametrize(
    'cam, boxes',
    [
        (ONE_PEAK, ONE_PEAK_BOXES),
        (TWO_PEAKS, TWO_PEAKS_BOXES),
        (np.zeros((3, 3)), [[0, 0, 0, 0]] * 5),
    ],
)
def test_boxes_of_the_reference(cam, boxes):
    for threshold, box in zip(THRESHOLDS, boxes, strict=True):
        ours = map_to_boxes(cam, threshold, 'largest_contour', 'minmax')
        assert ours.tolist() == [box]


def test_iou_of_the_reference():
    zeros = np.zeros((3, 4), int), np.zeros((5, 4), int)
    np.testing.assert_array_equal(box_iou_inclusive(*zeros), np.ones((3, 5)))
    apart = [[1, 1, 3, 3], [4, 4, 5, 5]]
    np.testing.assert_array_equal(box_iou_inclusive(apart, apart), np.eye(2))
    iou = box_iou_inclusive([[1, 2, 5, 6]], [[3, 1, 4, 5]])
    assert iou[0, 0] == pytest.approx(8 / 27)
    with pytest.raises(ValueError, match=r'\[1, 1, 0, 0\] ends before'):
        box_iou_inclusive([[1, 1, 0, 0]], [[1, 1, 2, 2]])


@pytest.mark.parametrize(
    ('box', 'ori_shape', 'size', 'scaled'),
    [
        # (w, h) from (10, 20) to (35, 10): 3.5, 1, 14, 1.5
        ([1, 2, 4, 3], (20, 10), (10, 35), [3, 1, 14, 1]),
        ([1, 2, 1, 2], (3, 3), (3, 3), [1, 2, 1, 2]),
        # 125 * 224 / 500 is 56 exactly, and 125 * (224 / 500) is not
        ([125, 0, 500, 5], (10, 500), (10, 224), [56, 0, 223, 5]),
    ],
)
def test_boxes_are_scaled_and_rounded_as_in_the_reference(
    box, ori_shape, size, scaled
):
    assert scale_boxes([box], ori_shape, size).tolist() == [scaled]


def test_the_papers_box_is_that_of_most_pixels_and_not_of_most_area():
    mask = np.zeros((20, 20))
    mask[2, 2:18] = 1  # 16 pixels, a contour without area
    mask[10:13, 5:8] = 1  # 9 pixels
    assert map_to_boxes(mask).tolist() == [[2, 2, 18, 3]]
    contour = map_to_boxes(mask, keep='largest_contour', normalize='minmax')
    assert contour.tolist() == [[5, 10, 8, 13]]
    mask = np.zeros((9, 9))  # of equal components, the first
    mask[6:8, 0:2] = mask[1:3, 5:7] = 1
    assert map_to_boxes(mask).tolist() == [[5, 1, 7, 3]]


def test_corners_connect_and_the_border_clips():
    mask = np.zeros((5, 5))
    mask[3, 3] = mask[4, 4] = 1
    assert map_to_boxes(mask).tolist() == [[3, 3, 4, 4]]


def test_all_contours_hold_those_of_holes():
    mask = np.zeros((12, 12))
    mask[1:11, 1:11] = 1
    mask[4:7, 5:7] = 0
    boxes = map_to_boxes(mask, keep='all', normalize='minmax').tolist()
    # Around the hole runs the foreground, one pixel further out.
    assert sorted(boxes) == [[1, 1, 11, 11], [4, 3, 8, 8]]


def test_a_value_equal_to_the_threshold_is_background():
    cam = [[0.2, 0.0], [0.21, 1.0]]
    assert map_to_boxes(cam, 0.2).tolist() == [[0, 1, 1, 1]]
    assert map_to_boxes([[0.2, 1.0]], 0.2).tolist() == [[1, 0, 1, 0]]


def test_a_positive_minimum_covers_all_with_max_but_not_with_minmax():
    cam = np.full((6, 6), 0.5)
    cam[2:4, 2:4] = 1
    assert map_to_boxes(cam, 0.2).tolist() == [[0, 0, 5, 5]]
    minmax = map_to_boxes(cam, 0.2, normalize='minmax')
    assert minmax.tolist() == [[2, 2, 4, 4]]


@pytest.mark.parametrize('mode', ['max', 'minmax'])
@pytest.mark.parametrize('value', [np.nan, np.inf, 0.0, -2.0])
def test_a_blank_map_has_no_foreground(mode, value):
    cam = np.full((4, 4), value)
    if not np.isfinite(value):
        cam[1:] = 1
    assert not normalize_map(cam, mode).any()
    assert map_to_boxes(cam, 0.2, normalize=mode).tolist() == [[0, 0, 0, 0]]


def test_a_negative_map_has_a_peak_with_minmax_only():
    cam = np.full((4, 4), -5.0)
    cam[1:3, 1:3] = -1
    assert not normalize_map(cam, 'max').any()
    box = map_to_boxes(cam, 0.2, normalize='minmax')
    assert box.tolist() == [[1, 1, 3, 3]]


def test_resizing_to_height_and_width_does_not_change_the_input():
    cam = np.arange(6, dtype=np.float32).reshape(2, 3)
    copy = cam.copy()
    large = resize_map(cam, (20, 33))
    assert large.shape == (20, 33) and large.dtype == np.float64
    np.testing.assert_array_equal(cam, copy)
    assert resize_map(cam, (2, 3)).tolist() == cam.tolist()


@pytest.mark.parametrize(
    'call, words',
    [
        (lambda: normalize_map(np.ones((2, 2)), 'sum'), "mode is 'sum'"),
        (lambda: normalize_map(np.ones((2, 2, 3))), r'\(2, 2, 3\)'),
        (lambda: map_to_boxes(np.ones((2, 2)), keep='best'), "keep is 'best'"),
    ],
)
def test_wrong_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
