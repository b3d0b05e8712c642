import numpy as np
import pytest
import torch

from mmocc.occlusion.patches import (
    draw_patch_masks,
    patch_coverage,
    patch_grid,
    upsample_patch_mask,
)


@pytest.mark.parametrize(
    'size, fit', [((60, 64), '64 x 64'), ((64, 67), '64 x 64'), ((5, 8), '8')]
)
def test_a_size_that_does_not_fit_is_refused_with_one_that_does(size, fit):
    assert patch_grid((224, 112), 16) == (14, 7)
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
    for length, size in ((5, (4, 9)), (6, (5, 9)), (6, (4, 8))):
        with pytest.raises(ValueError, match='multiples of the grid'):
            upsample_patch_mask(torch.zeros(1, length), (2, 3), size)


def draw(number, grid, seed=0, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    return draw_patch_masks(number, grid, generator=generator, **kwargs)


def test_shares_spread_over_their_range_and_every_patch_is_hidden_alike():
    counts = draw(2000, (10, 10), share=(0.2, 0.6)).sum(1)
    assert counts.min() == 20
    assert counts.max() == 60
    assert counts.float().mean() == pytest.approx(40, abs=1)
    often = draw(4000, (8, 6), share=(0.3, 0.3)).float().mean(0)
    assert often.min() > 0.1
    assert often.mean() == pytest.approx(14 / 48, abs=1e-6)


def test_smooth_masks_are_blobs_and_rough_ones_scattered():
    shares = []  # of hidden patches' right neighbours that are hidden
    for roughness in (0.0, 0.5, 100.0):
        masks = draw(500, (8, 8), share=(0.3, 0.3), roughness=roughness)
        image = masks.unflatten(1, (8, 8))
        left, right = image[..., :-1], image[..., 1:]
        shares.append((left & right).sum() / left.sum())
    assert shares[0] > 0.7
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] == pytest.approx(0.3, abs=0.07)


def test_extremes_and_seeds():
    assert draw(5, (3, 4), share=(1, 1)).all()
    assert (draw(5, (3, 4), share=(0, 0)).sum(1) == 1).all()
    assert draw(0, (3, 4)).shape == (0, 12)
    assert torch.equal(draw(5, (3, 4)), draw(5, (3, 4)))
    assert not torch.equal(draw(5, (3, 4)), draw(5, (3, 4), seed=1))
    for share, rough in (((0.5, 0.1), 0), ((0, 2), 0), ((0, 1), -1)):
        with pytest.raises(ValueError, match='shares must be in'):
            draw(1, (2, 2), share=share, roughness=rough)
