"""Boxes with x and y swapped and clipped, against their generator's steps."""

import numpy as np
import pytest

from mmocc.datasets.pascal3d_boxes import (
    box_iou,
    is_swapped,
    mask_extent,
    read_occluder_boxes,
    read_stored_box,
    restore_edge,
    swap_back,
)


def stored_box(box, size, swap):
    """Return what the set's generator stores for an xyxy box."""
    x1, y1, x2, y2 = box
    if swap:
        x1, y1, x2, y2 = y1, x1, y2, x2
    height, width = size
    y2, x2 = min(y2, height), min(x2, width)
    return np.array([y1, y2, x1, x2, height, width], np.float32)


@pytest.mark.parametrize(
    ('size', 'box', 'lost'),
    [
        ((40, 60), (3, 12, 35, 30), None),
        ((60, 40), (3, 12, 35, 30), None),
        ((50, 50), (3, 12, 35, 30), None),
        ((40, 60), (20, 5, 55, 30), 2),  # the right edge became 40
        ((40, 60), (20, 5, 40, 30), 2),  # 40 itself cannot be told from it
        ((60, 40), (5, 20, 30, 55), 3),
        ((60, 40), (5, 20, 30, 39), None),
    ],
)
def test_swapping_back_gives_the_box_or_names_the_lost_edge(size, box, lost):
    stored = read_stored_box(stored_box(box, size, swap=True))
    assert stored.size == size
    swapped, edge = swap_back(stored)
    assert edge == lost
    if lost is None:
        assert swapped == box
    else:
        assert restore_edge(swapped, lost, box[lost]) == box
        assert restore_edge(swapped, lost, 0) == swapped  # only outwards


@pytest.mark.parametrize('swap', [False, True])
@pytest.mark.parametrize('expected', [False, True])
def test_the_mask_shows_the_order_whatever_the_folder_promises(swap, expected):
    stored = read_stored_box(stored_box((3, 12, 35, 30), (40, 60), swap))
    assert is_swapped(stored, expected, lambda: (4, 13, 33, 30)) is swap
    assert is_swapped(stored, expected, lambda: None) is expected
    # A mask between both readings leaves it to the folder.
    stored = read_stored_box(stored_box((10, 10, 30, 30), (40, 60), False))
    assert is_swapped(stored, expected, lambda: (9, 9, 28, 28)) is expected


def test_a_reading_that_leaves_the_image_needs_no_mask():
    def extent():
        raise AssertionError('the mask was read')

    for args in ((41, 2, 59, 30), (40, 60)), ((2, 50, 30, 58), (60, 40)):
        stored = read_stored_box(stored_box(*args, False))
        assert stored.direct == args[0]
        assert not is_swapped(stored, True, extent)


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ([1, 2, 3, 4], r'not \(y0, y1, x0, x1, h, w\)'),
        ([1, 2, 3, np.nan, 9, 9], 'not'),
        ([5, 5, 1, 3, 9, 9], 'empty'),
        ([-1] * 6, 'empty'),
    ],
)
def test_a_wrong_box_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        read_stored_box(np.array(values, np.float32))
    outside = read_stored_box(np.array([1, 70, 1, 80, 40, 60]))
    with pytest.raises(ValueError, match='leaves its image'):
        is_swapped(outside, False, lambda: None)


def test_extents_and_overlaps_are_half_open():
    mask = np.zeros((9, 12), np.uint8)
    assert mask_extent(mask) is None
    mask[2:5, 3:10] = 1
    assert mask_extent(mask) == (3, 2, 10, 5)
    assert box_iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert box_iou((0, 0, 2, 2), (0, 0, 2, 1)) == 0.5
    assert box_iou((0, 0, 2, 2), (5, 5, 6, 6)) == 0


@pytest.mark.parametrize(
    ('values', 'boxes'),
    [
        (np.zeros(0), []),
        (np.zeros((0, 6)), []),
        (np.full((1, 6), -1), []),
        ([[2, 8, 3, 5, 40, 60], [-1] * 6], [[3, 2, 5, 8]]),
    ],
)
def test_occluder_boxes_leave_out_the_empty_ones(values, boxes):
    read = read_occluder_boxes(np.array(values, np.float32))
    assert (read.shape, read.dtype) == ((len(boxes), 4), np.float32)
    assert read.tolist() == boxes
    with pytest.raises(ValueError, match=r'\(6,\), not \(n, 6\)'):
        read_occluder_boxes(np.ones(6))
