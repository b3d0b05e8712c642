import pytest
import torch

from mmocc.occlusion.patches import draw_patch_masks


def draw(number, grid, seed=0, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    return draw_patch_masks(number, grid, generator=generator, **kwargs)


def test_shares_lie_in_their_range_and_spread_over_it():
    masks = draw(2000, (10, 10), share=(0.2, 0.6))
    counts = masks.sum(1)
    assert masks.dtype == torch.bool
    assert counts.min() == 20
    assert counts.max() == 60
    assert counts.float().mean() == pytest.approx(40, abs=1)


def test_every_patch_is_hidden_about_as_often():
    often = draw(4000, (8, 6), share=(0.3, 0.3)).float().mean(0)
    assert often.min() > 0.1
    assert often.mean() == pytest.approx(14 / 48, abs=1e-6)


def neighbours(masks, grid):
    """Return the share of hidden patches' right neighbours that are hidden."""
    image = masks.unflatten(1, grid)
    return (image[..., 1:] & image[..., :-1]).sum() / image[..., :-1].sum()


def test_smooth_masks_are_blobs_and_rough_ones_scattered():
    grid = (8, 8)
    shares = [
        neighbours(draw(500, grid, share=(0.3, 0.3), roughness=r), grid)
        for r in (0.0, 0.5, 100.0)
    ]
    assert shares[0] > 0.7
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] == pytest.approx(0.3, abs=0.07)


def test_extremes_and_seeds():
    assert draw(5, (3, 4), share=(1, 1)).all()
    assert (draw(5, (3, 4), share=(0, 0)).sum(1) == 1).all()
    assert draw(0, (3, 4)).shape == (0, 12)
    assert torch.equal(draw(5, (3, 4)), draw(5, (3, 4)))
    assert not torch.equal(draw(5, (3, 4)), draw(5, (3, 4), seed=1))


@pytest.mark.parametrize(
    'wrong', [dict(share=(0.5, 0.1)), dict(share=(0, 2)), dict(roughness=-1)]
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValueError, match='shares must be in'):
        draw(1, (2, 2), **wrong)
