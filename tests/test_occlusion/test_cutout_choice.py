import cv2
import numpy as np
import pytest
import torch

from mmocc.occlusion.cutout_choice import choose_cutouts, hidden_share
from mmocc.occlusion.occluders import OccluderBank, Occluders, pixel_grid
from mmocc.registry import MODELS


def occluders(*sheet, anchor=(0.0, 0.0)):
    num = len(sheet)
    return Occluders(
        torch.tensor(sheet),
        torch.ones(num, 2),
        torch.tensor([anchor] * num),
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


def test_shares_are_those_counted_by_hand(sheets):
    points = pixel_grid((8, 8), 'cpu').flatten(0, 1)
    pixel = torch.tensor([[4.0, 4.0]] * 3)
    shares = hidden_share(
        sheets, points, occluders(0, 1, 2), pixel, torch.tensor([2.0, 4, 4])
    )
    assert shares.tolist() == [16 / 64, 32 / 64, 1 / 64]


def test_the_first_that_can_hide_the_share_is_taken(sheets):
    share = torch.tensor([0.8, 0.8, 0.3])
    # The corner cell hides next to nothing, half a square less than 0.8.
    draws = occluders(2, 1, 1, 1, 0, 0, 0, 0, 0)
    pixel = torch.tensor([[20.0, 20.0]] * 3)
    index, scale = choose_cutouts(sheets, draws, pixel, share, (40, 40))
    assert index.tolist() == [6, 4, 2]
    points = pixel_grid((40, 40), 'cpu').flatten(0, 1)
    one = Occluders(*(field[index] for field in draws))
    shares = hidden_share(sheets, points, one, pixel, scale)
    assert (shares - share).abs().max() < 0.03


def test_the_closest_is_taken_where_none_can(sheets):
    draws = occluders(2, 1, 2)
    pixel = torch.tensor([[20.0, 20.0]])
    index, _ = choose_cutouts(
        sheets, draws, pixel, torch.tensor([0.9]), (40, 40)
    )
    assert index.tolist() == [1]


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
