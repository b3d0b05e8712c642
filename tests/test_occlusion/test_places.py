import pytest
import torch

from mmocc.occlusion.places import ObjectPixels, lattice


def tensor(*pairs):
    return torch.tensor(pairs, dtype=torch.float64)


def test_a_place_has_its_shares_of_the_object_before_it():
    region = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 1]]).bool()
    pixels = ObjectPixels(region)
    assert pixels.index.tolist() == [5, 8, 9, 11]
    assert len(pixels) == 4
    # A quarter of the pixels is in row 1; of the three in row 2, a half is
    # one and a half pixels.
    places = pixels.at(tensor((0, 0), (0.5, 0.125), (0.5, 0.25), (0.9, 0.625)))
    expected = [[1, 1], [1.5, 1.5], [1.5, 2], [3.7, 2.5]]
    assert torch.allclose(places, torch.tensor(expected))


def test_places_are_uniform_over_the_object():
    region = torch.rand(6, 7, generator=torch.Generator().manual_seed(0)) < 0.4
    pixels = ObjectPixels(region)
    generator = torch.Generator().manual_seed(1)
    shares = torch.rand(4000, 2, generator=generator, dtype=torch.float64)
    x, y = pixels.at(shares).long().unbind(-1)
    hits = torch.bincount(y * 7 + x, minlength=42).view(6, 7)
    assert not hits[~region].any()
    each = 4000 / len(pixels)
    assert ((hits[region] - each).abs() < 5 * each**0.5).all()


def test_the_last_shares_before_one_are_on_the_last_pixel():
    region = torch.zeros(5, 4, dtype=torch.bool)
    region[2, 1] = region[3, 2] = True
    end = 1 - 2**-53
    x, y = ObjectPixels(region).at(tensor((end, end)))[0].tolist()
    assert (x, y) == pytest.approx((3, 4))
    whole = ObjectPixels(torch.ones(5, 4, dtype=torch.bool))
    assert whole.at(tensor((end, end))).long().tolist() == [[3, 4]]


def test_the_lattice_covers_a_square_evenly():
    region = torch.ones(3, 3, dtype=torch.bool)
    x, y = ObjectPixels(region).at(lattice(6)).long().unbind(-1)
    assert torch.bincount(3 * y + x).tolist() == [4] * 9


def test_the_same_shares_are_the_same_place_at_another_size():
    def blob(side):
        steps = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(steps, steps, indexing='ij')
        return torch.hypot((x - 0.45) / 0.4, (y - 0.55) / 0.3) < 1

    shares = torch.rand(
        50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    small, large = (
        ObjectPixels(blob(side)).at(shares) / side for side in (160, 224)
    )
    assert (small - large).abs().max() < 1.5 / 160
    small, large = (
        ObjectPixels(torch.ones(side, side).bool()).at(shares) / side
        for side in (160, 224)
    )
    assert torch.allclose(small, large, atol=1e-6)
