import pytest
import torch

from mmocc.occlusion.occluders import (
    Occluders,
    covers,
    draw_occluders,
    fit_scale,
    inner_coords,
    mirror_tile,
    pixel_grid,
    rectangle_reach,
    render,
)


def square():
    return Occluders(
        torch.zeros(1).long(), torch.ones(1, 2), *torch.zeros(2, 1, 2)
    )


def grid_points(side):
    """Return the pixel centres of a square image as (1, side ** 2, 2)."""
    return pixel_grid((side, side), torch.device('cpu')).flatten(0, 1)[None]


def test_a_square_of_scale_2_covers_4_by_4_pixels():
    grid = pixel_grid((2, 3), torch.device('cpu'))
    assert grid[1, 2].tolist() == [2.5, 1.5]
    middle, scale = torch.tensor([[5.0, 5.0]]), torch.tensor([2.0])
    inner = inner_coords(grid_points(10), square(), middle, scale)
    mask = covers(inner)[0].view(10, 10)
    assert mask.sum() == 16
    assert mask[3:7, 3:7].all()
    colours, alpha = render('white', None, square(), middle, scale, (10, 10))
    assert (colours == 255).all()
    assert torch.equal(alpha[0, 0] == 1, mask)


def test_a_silhouette_covers_only_where_it_is_opaque():
    alpha = torch.zeros(1, 4, 4, dtype=torch.uint8)
    alpha[0, :, :2] = 255  # the left half
    middle, scale = torch.tensor([[4.0, 4.0]]), torch.tensor([4.0])
    inner = inner_coords(grid_points(8), square(), middle, scale)
    mask = covers(inner, alpha)[0].view(8, 8)
    assert mask[:, :4].all()
    assert not mask[:, 4:].any()


@pytest.mark.parametrize('share', [0.1, 0.3, 0.55, 0.8])
def test_the_fitted_rectangle_hides_the_share_up_to_one_row(share):
    generator = torch.Generator().manual_seed(0)
    num, side = 50, 64
    points = grid_points(side)
    occluders = draw_occluders(num, 1, generator)
    pixel = torch.randint(side, (num, 2), generator=generator) + 0.5
    target = torch.full((num,), share)
    scale = fit_scale(points, occluders, pixel, target, max_scale=4.0 * side)
    hidden = covers(inner_coords(points, occluders, pixel, scale))
    shares = hidden.float().mean(dim=1)
    assert (shares >= share).all()
    assert (shares <= share + 3 / side).all()


def test_what_is_hidden_already_counts():
    hidden = (torch.arange(100) < 50)[None]
    pixel, share = torch.tensor([[5.5, 8.5]]), torch.tensor([0.5])
    scale = fit_scale(
        grid_points(10), square(), pixel, share, 40.0, hidden=hidden
    )
    assert scale < 0.51  # nothing more is needed


def test_draws_depend_on_the_generator_only():
    seeds = (torch.Generator().manual_seed(5) for _ in range(2))
    first, second = (draw_occluders(4, 3, seed) for seed in seeds)
    assert all(map(torch.equal, first, second))
    aspect = first.shape[:, 0] / first.shape[:, 1]
    assert ((aspect >= 0.5) & (aspect <= 2)).all()


def test_a_window_is_cut_out_unchanged_and_continued_by_mirroring():
    sheets = torch.arange(2 * 3 * 16, dtype=torch.uint8).view(2, 3, 4, 4)
    window = mirror_tile(
        sheets, torch.tensor([1]), torch.tensor([[0.34, 0.99]]), (2, 2)
    )
    assert torch.equal(window[0], sheets[1, :, 2:4, 1:3])
    sheets = torch.tensor([1, 2, 3]).view(1, 1, 1, 3).expand(1, 1, 3, 3)
    window = mirror_tile(sheets, torch.tensor([0]), torch.zeros(1, 2), (1, 8))
    assert window.flatten().tolist() == [1, 2, 3, 3, 2, 1, 1, 2]


def test_a_rectangle_covers_a_point_from_its_reach_on():
    generator = torch.Generator().manual_seed(0)
    num = 20
    occluders = draw_occluders(num, 1, generator)._replace(
        anchor=torch.rand(num, 2, generator=generator) * 1.8 - 0.9
    )
    points = 100 * torch.rand(1, 50, 2, generator=generator)
    pixel = 100 * torch.rand(num, 2, generator=generator)
    reach = rectangle_reach(points, occluders, pixel)
    assert reach.shape == (num, 50)
    for number in range(50):
        for scale, inside in ((0.999, False), (1.001, True)):
            inner = inner_coords(
                points, occluders, pixel, scale * reach[:, number]
            )
            assert (covers(inner)[:, number] == inside).all()
