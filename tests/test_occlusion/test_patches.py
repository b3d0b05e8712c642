import numpy as np
import pytest
import torch

from mmocc.occlusion.patches import (
    patch_coverage,
    patch_grid,
    upsample_patch_mask,
)


def test_the_grid_is_rows_by_columns():
    assert patch_grid((224, 112), 16) == (14, 7)


@pytest.mark.parametrize(
    'size, fit', [((60, 64), '64 x 64'), ((64, 67), '64 x 64'), ((5, 8), '8')]
)
def test_a_size_that_does_not_fit_is_refused_and_one_that_does_named(
    size, fit
):
    with pytest.raises(ValueError, match=f'{size[0]} x {size[1]}.*{fit}'):
        patch_grid(size, 8)


def test_coverage_is_the_exact_share_of_each_patch():
    mask = np.zeros((16, 24), np.uint8)
    mask[:8, :8] = 1  # all of the first patch
    mask[8:11, 16:21] = 1  # 3 x 5 pixels of the last
    wanted = np.array([[1, 0, 0], [0, 0, 15 / 64]], np.float32)
    coverage = patch_coverage(mask, 8)
    assert coverage.dtype == np.float32
    assert (coverage == wanted).all()


def test_a_patch_mask_is_spread_over_its_pixels_row_by_row():
    mask = torch.tensor([[1, 0, 0, 0, 0, 1]], dtype=torch.bool)
    pixels = upsample_patch_mask(mask, (2, 3), (4, 9))
    assert pixels.shape == (1, 1, 4, 9) and pixels.dtype == torch.bool
    wanted = torch.zeros(4, 9, dtype=torch.bool)
    wanted[:2, :3] = True
    wanted[2:, 6:] = True
    assert (pixels[0, 0] == wanted).all()


@pytest.mark.parametrize(
    'length, size', [(5, (4, 9)), (6, (5, 9)), (6, (4, 8))]
)
def test_masks_that_do_not_fit_are_refused(length, size):
    with pytest.raises(ValueError, match='multiples of the grid'):
        upsample_patch_mask(torch.zeros(1, length), (2, 3), size)
