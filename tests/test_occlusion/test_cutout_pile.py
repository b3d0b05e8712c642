import cv2
import numpy as np
import pytest
import torch

from mmocc.occlusion.cutout_pile import pile_cutouts
from mmocc.occlusion.occluders import OccluderBank, Occluders, render
from mmocc.registry import MODELS


def occluders(*sheet):
    num = len(sheet)
    return Occluders(
        torch.tensor(sheet),
        torch.ones(num, 2),
        torch.zeros(num, 2),
        torch.zeros(num, 2),
    )


@pytest.fixture
def sheets():
    """A full square, its left half, and a single opaque corner cell."""
    sheets = torch.zeros(3, 4, 8, 8, dtype=torch.uint8)
    sheets[0, 3] = 255
    sheets[1, 3, :, :4] = 255
    sheets[2, 3, 0, 0] = 255
    return sheets


def middle(count):
    return torch.tensor([[24.0, 24.0]] * count)


def test_one_square_is_enough_below_the_middle_of_the_first_level(sheets):
    # 12 of 24 points a side are hidden: a quarter.
    (layer,) = pile_cutouts(
        sheets, occluders(0, 0), middle(2), torch.tensor([0.25]), (48, 48)
    )
    assert layer.rows.tolist() == [0]
    assert 11 < float(layer.scale) < 13


def test_each_cut_out_may_hide_up_to_the_next_level(sheets):
    # squares on one place: the share after each is that of the largest
    layers = pile_cutouts(
        sheets,
        occluders(*[0] * 8),
        middle(8),
        torch.tensor([0.3, 0.6]),
        (48, 48),
    )
    assert [layer.rows.tolist() for layer in layers] == [[0, 1], [1], [1]]
    shares = [(float(layer.scale[-1]) / 24) ** 2 for layer in layers]
    # 24 x 24 points give shares of 14, 18 and 20 points a side
    np.testing.assert_allclose(shares, [0.34, 0.56, 0.69], atol=0.1)
    assert shares == sorted(shares)


def test_what_hides_nothing_is_left_to_those_after_it(sheets):
    # corner cells hide next to nothing at the size of the image
    draws = occluders(2, 0, 2, 0)
    layers = pile_cutouts(
        sheets, draws, middle(4), torch.tensor([0.25]), (48, 48)
    )
    assert [int(layer.occluders.sheet) for layer in layers] == [2, 0]
    assert float(layers[0].scale) == pytest.approx(0.75 * 48, rel=0.02)


def test_only_the_last_one_may_be_larger_than_about_the_image(sheets):
    # half a square whose straight side is on the middle
    draws = occluders(1, 1, 1)
    layers = pile_cutouts(
        sheets, draws, middle(3), torch.tensor([0.9]), (48, 48)
    )
    scales = [float(layer.scale) for layer in layers]
    assert max(scales[:2]) <= 0.75 * 48 * 1.001
    assert scales[2] == pytest.approx(4 * 48, rel=0.02)  # and cannot do it


def test_the_first_is_in_front(tmp_path):
    """As with mmocc.Occlude: a red square before, larger blue ones behind."""
    for name, colour in (('a', (0, 0, 255, 255)), ('b', (255, 0, 0, 255))):
        image = np.full((40, 40, 4), colour, np.uint8)
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    bank = OccluderBank(['object'], object_bank=str(tmp_path))
    sheets = bank.sheets['object']
    red = int(sheets[1, 2].max() > 0)
    occluder = MODELS.build(
        dict(
            type='mmocc.BatchOccluder',
            kinds='object',
            object_bank=str(tmp_path),
            area=0.6,
            seed=5,
        )
    )
    fit = occluder._fit

    def in_the_middle(kind, drawn, centre, area, size):
        order = torch.tensor([red] + [1 - red] * (len(centre) - 1))
        drawn = drawn._replace(
            sheet=order,
            shape=torch.ones_like(drawn.shape),
            anchor=torch.zeros_like(drawn.anchor),
        )
        return fit(kind, drawn, torch.full_like(centre, 32.0), area, size)

    occluder._fit = in_the_middle
    image, mask = occluder(torch.zeros(1, 3, 64, 64))
    assert 0.55 < mask.float().mean() < 0.7
    assert image[0, :, 32, 32].round().tolist() == [0, 0, 255]
    y, x = mask[0, 0].nonzero()[0].tolist()
    assert image[0, :, y + 2, x + 2].round().tolist() == [255, 0, 0]


def test_cut_outs_of_a_large_share_are_several_and_not_enlarged():
    """One smear over the image looks like no object of the test."""
    bank = OccluderBank(['object'], object_bank='builtin:train')
    generator = torch.Generator().manual_seed(0)
    num, size = 50, (96, 96)
    draws = bank.draw('object', 8 * num, generator)
    pixel = 96 * torch.rand(8 * num, 2, generator=generator)
    share = torch.full((num,), 0.7)
    layers = pile_cutouts(bank.sheets['object'], draws, pixel, share, size)
    used = torch.zeros(num)
    for layer in layers:
        used[layer.rows] += 1
    assert used.min() >= 3
    large = sum(int((layer.scale > 0.76 * 96).sum()) for layer in layers)
    assert large <= 0.02 * used.sum()
    hidden = torch.zeros(num, 1, *size, dtype=torch.bool)
    for layer in layers:
        _, *put = layer
        _, alpha = render('object', bank.sheets['object'], *put, size)
        hidden[layer.rows] |= alpha >= 0.5
    error = (hidden.float().mean(dim=(1, 2, 3)) - share).abs()
    assert error.mean() < 0.02


@pytest.fixture(scope='module')
def bank(tmp_path_factory):
    """Discs, rings, a star and a branch: full, hollow and with arms."""
    folder = tmp_path_factory.mktemp('shapes')
    y, x = np.mgrid[:120, :120] - 60
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    branch = np.zeros((120, 120), np.uint8)
    for end in ((10, 30), (110, 20), (60, 110)):
        cv2.line(branch, (60, 60), end, 255, 12)
    shapes = dict(
        disc=radius < 55,
        ring=(radius < 55) & (radius > 30),
        thin=(radius < 55) & (radius > 45),
        star=radius < 30 + 25 * np.cos(5 * angle),
        branch=branch > 0,
    )
    for name, inside in shapes.items():
        image = np.full((120, 120, 4), 200, np.uint8)
        image[..., 3] = 255 * inside
        cv2.imwrite(str(folder / f'{name}.png'), image)
    return str(folder)


@pytest.mark.parametrize('size', [(64, 64), (48, 80)])
def test_the_hidden_area_of_objects_is_the_drawn_one(bank, size, monkeypatch):
    occluder = MODELS.build(
        dict(type='mmocc.BatchOccluder', kinds='object', object_bank=bank)
    )
    wanted, fit = [], occluder._fit

    def watch(*args):
        wanted.append(args[3])
        return fit(*args)

    monkeypatch.setattr(occluder, '_fit', watch)
    _, mask = occluder(torch.zeros(300, 3, *size))
    error = (mask.float().mean(dim=(1, 2, 3)) - wanted[0]).abs()
    # 14 % were off by more than 0.05 when one cut-out was drawn.
    assert (error > 0.05).float().mean() < 0.01
    assert error.mean() < 0.015


def test_a_bank_is_read_where_it_is_needed_not_before(tmp_path):
    missing = str(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='nowhere'):
        OccluderBank(['object'], object_bank=missing)
    occluder = MODELS.build(
        dict(type='mmocc.BatchOccluder', object_bank=missing)
    )
    assert occluder.kinds == ('white', 'noise', 'object')
    for start in (
        occluder.init_weights,
        lambda: occluder(torch.zeros(1, 3, 8, 8)),
    ):
        with pytest.raises(FileNotFoundError, match='nowhere'):
            start()
    with pytest.raises(ValueError, match="'object' needs object_bank"):
        MODELS.build(dict(type='mmocc.BatchOccluder', kinds='object'))
