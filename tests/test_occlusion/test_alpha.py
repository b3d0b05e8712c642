from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmocc.occlusion.alpha import premultiply, resize, sample, straighten
from mmocc.occlusion.banks import load_cutouts
from mmocc.occlusion.cutouts import load_cutout
from mmocc.occlusion.occlude import occlude_object
from mmocc.occlusion.occluders import OccluderBank, Occluders, render
from mmocc.registry import MODELS

RED = (40, 30, 220)  # BGR


@pytest.fixture(scope='module')
def red_bank(tmp_path_factory):
    """A red disc with a soft rim, whose transparent pixels are black."""
    folder = tmp_path_factory.mktemp('red')
    y, x = np.mgrid[:301, :301]
    alpha = (255 * (145 - np.hypot(y - 150, x - 150)) / 8).clip(0, 255)
    image = np.zeros((301, 301, 4), np.uint8)
    image[alpha > 0, :3] = RED
    image[..., 3] = alpha
    cv2.imwrite(str(folder / 'disc.png'), image)
    return OccluderBank(['object'], object_bank=str(folder))


@pytest.mark.parametrize('size', [(23, 23), (64, 50), (400, 400)])
def test_red_on_white_is_never_darker_than_both(red_bank, size):
    draws = red_bank.draw('object', 6, torch.Generator().manual_seed(0))
    pixel = torch.rand(6, 2) * torch.tensor(size[::-1])
    scale = torch.linspace(4, 0.8 * max(size), 6)
    sheets = red_bank.sheets['object']
    colours, alpha = render('object', sheets, draws, pixel, scale, size)
    mixed = torch.full((6, 3, *size), 255.0).lerp_(colours, alpha)
    assert ((alpha > 0.02) & (alpha < 0.98)).any()
    low = torch.tensor(RED, dtype=torch.float32).view(3, 1, 1)
    assert (mixed >= low - 0.01).all()
    assert mixed.max() <= 255.01
    # All on the line from white to red: no third colour is mixed in.
    line = 255 + alpha * (low - 255)
    assert (mixed - line).abs().max() < 1.01


def test_an_occluded_white_image_has_white_red_and_what_lies_between(red_bank):
    white = torch.full((3, 60, 60), 255, dtype=torch.uint8)
    for seed in range(5):
        occluded, mask = occlude_object(
            white,
            torch.ones(60, 60, dtype=torch.bool),
            'object',
            (0.4, 0.6),
            red_bank,
            torch.Generator().manual_seed(seed),
        )
        range_of = (255 - torch.tensor(RED)).view(3, 1, 1)
        share = (255 - occluded.float()) / range_of
        assert (share - share.mean(dim=0)).abs().max() < 0.04
        assert (share[:, mask] > 0.48).all()


def test_batches_have_no_dark_rim_either(red_bank):
    occluder = MODELS.build(
        dict(
            type='mmocc.BatchOccluder',
            kinds='object',
            object_bank=red_bank.object_bank,
        )
    )
    occluded, _ = occluder(torch.full((6, 3, 40, 40), 255.0))
    low = torch.tensor(RED).view(3, 1, 1)
    share = (255 - occluded) / (255 - low)
    assert (share - share.mean(dim=1, keepdim=True)).abs().max() < 0.04


def test_two_pixels_shrunk_to_one_are_their_weighted_mean():
    image = np.uint8([[[10, 20, 200, 255], [250, 250, 250, 51]]])
    (pixel,) = straighten(resize(image, (1, 1)))[0]
    # (10 * 1 + 250 * 0.2) / 1.2 and so on; alpha (1 + 0.2) / 2
    assert np.allclose(pixel, [50, 70 / 1.2, 250 / 1.2, 0.6], atol=1e-3)
    assert np.allclose(premultiply(image)[0, 1], [50, 50, 50, 0.2])


def test_between_two_pixels_of_a_sheet_colours_mix_by_alpha():
    sheet = torch.zeros(1, 4, 2, 2, dtype=torch.uint8)
    sheet[0, :, :, 0] = torch.tensor([0, 0, 200, 255])[:, None]
    middle, row = torch.zeros(1, 1), torch.zeros(1, 1)
    colours, alpha = sample(sheet, middle, row)
    assert alpha.item() == 0.5
    assert torch.allclose(
        colours.flatten(), torch.tensor([0, 0, 200.0]), atol=0.1
    )
    far = torch.full((1, 1), 5.0)
    colours, alpha = sample(sheet, far, row)  # outside: its mean, not black
    assert alpha.item() == 0
    assert torch.allclose(
        colours.flatten(), torch.tensor([0, 0, 200.0]), atol=0.1
    )


def test_a_line_thinner_than_a_cell_keeps_its_colour_and_form(tmp_path):
    image = np.zeros((400, 400, 4), np.uint8)
    cv2.line(image, (0, 0), (399, 399), (*RED, 255))
    cv2.imwrite(str(tmp_path / 'line.png'), image)
    sheet = load_cutouts(tmp_path, size=32).sheets[0]
    opaque = sheet[3] >= 128
    assert opaque.any()
    assert not opaque[0, -1]
    assert not opaque[-1, 0]
    colours = sheet[:3].float() * 255 / sheet[3].clamp_min(1)
    error = colours[:, opaque] - torch.tensor(RED)[:, None]
    assert error.abs().max() <= 1.5


def test_shrunk_pictures_to_paste_have_no_dark_rim(red_bank):
    path = next(Path(red_bank.object_bank).glob('*.png'))
    cutout = load_cutout(path, side=40)
    visible = cutout.pixels[cutout.pixels[..., 3] > 25]
    assert np.abs(visible[:, :3] - np.float32(RED)).max() <= 3


def test_a_cutout_is_sampled_at_the_pixels_that_it_covers(red_bank):
    one = Occluders(
        torch.zeros(1, dtype=torch.long),
        torch.ones(1, 2),
        torch.zeros(1, 2),
        torch.zeros(1, 2),
    )
    sheets = torch.full((1, 4, 8, 8), 255, dtype=torch.uint8)
    pixel, scale = torch.tensor([[3.0, 2.0]]), torch.tensor([2.0])
    _, alpha = render('object', sheets, one, pixel, scale, (6, 8))
    expected = torch.zeros(6, 8)
    expected[:4, 1:5] = 1
    assert torch.allclose(alpha[0, 0], expected, atol=1e-6)
