import numpy as np
import pytest
import torch

from mmocc.occlusion.regions import (
    Window,
    box_region,
    hidden_share,
    mask_region,
)


def test_a_box_is_rounded_and_cut_at_the_border():
    region = box_region([-3.2, 1.6, 4.4, 99], (10, 8))
    assert region.window == Window(2, 0, 10, 4)
    assert region.mask.shape == (8, 4)
    assert region.mask.all()


def test_a_box_without_a_pixel_is_empty_and_one_with_nan_refused():
    for box in ([2.1, 2, 2.4, 9], [20, 0, 30, 5], [5, 5, 1, 1]):
        assert box_region(box, (10, 10)).mask.numel() == 0
    with pytest.raises(ValueError, match='NaN or inf'):
        box_region([0, 0, float('nan'), 2], (10, 10))


def test_a_mask_is_stored_no_larger_than_its_object():
    mask = np.zeros((10, 12), np.uint8)
    mask[3:5, 4:9] = 1
    mask[3, 4] = 0
    region = mask_region(mask)
    assert region.window == Window(3, 4, 5, 9)
    assert region.mask.sum() == 9
    assert not region.mask[0, 0]
    assert mask_region(np.zeros((3, 3))).mask.numel() == 0


def test_windows_meet_where_both_count_the_same_pixels():
    image = torch.arange(100).reshape(10, 10)
    one, two = Window(0, 2, 6, 8), Window(4, 5, 9, 10)
    first, second = one.common(two)
    here = image[one.slices][first]
    assert torch.equal(here, image[two.slices][second])
    assert here.flatten().tolist() == [45, 46, 47, 55, 56, 57]
    assert one.common(Window(6, 0, 9, 9)) is None
    assert one.join(two) == Window(0, 2, 9, 10)


def test_the_hidden_share_is_of_the_object_not_of_its_window():
    mask = np.eye(4, dtype=np.uint8)
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[:2] = True
    assert hidden_share(mask_region(mask), hidden) == 0.5
    assert np.isnan(hidden_share(box_region([9, 9, 9, 9], (4, 4)), hidden))
