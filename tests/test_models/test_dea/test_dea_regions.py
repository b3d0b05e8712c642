"""DEA's regions and their pictures, against OpenCV and Pillow."""

import re

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.ops import roi_align

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmocc.models.dea import regions
from mmocc.models.dea.regions import (
    check_truth,
    crop_regions,
    draw_levels,
    jitter_boxes,
    keep_inside,
    to_pictures,
)

SIDE = 32


@pytest.fixture(scope='module')
def photo():
    """Return a (1, 3, 240, 300) image with soft and hard edges."""
    rng = np.random.default_rng(0)
    image = rng.random((15, 20, 3), np.float32)
    image = cv2.resize(image, (300, 240), interpolation=cv2.INTER_CUBIC)
    image[60:180, 80:200] = np.where(image[60:180, 80:200] > 0.5, 1, 0)
    return torch.tensor(image.clip(0, 1)).permute(2, 0, 1)[None]


def cut(photo, box):
    left, top, right, bottom = box
    return photo[0, :, top:bottom, left:right].permute(1, 2, 0).numpy()


def crop(photo, box):
    rois = torch.tensor([[0.0, *box]])
    return crop_regions(photo, rois, SIDE)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize('times', [1, 2, 3, 7])
def test_reduced_by_whole_numbers_it_is_opencvs_area_mean(photo, times):
    box = (40, 10, 40 + SIDE * times, 10 + SIDE * times)
    expected = cv2.resize(
        cut(photo, box), (SIDE, SIDE), interpolation=cv2.INTER_AREA
    )
    np.testing.assert_allclose(crop(photo, box), expected, atol=1e-5)


@pytest.mark.parametrize('sides', [(50, 50), (100, 75), (201, 133), (37, 230)])
def test_reduced_otherwise_it_is_near_opencvs_and_pillows(photo, sides):
    box = (33, 5, 33 + sides[0], 5 + sides[1])
    found, region = crop(photo, box), cut(photo, box)
    area = cv2.resize(region, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(found - area).mean() < 0.02
    pixels = Image.fromarray((255 * region + 0.5).astype(np.uint8))
    boxed = np.asarray(pixels.resize((SIDE, SIDE), Image.BOX)) / 255
    assert np.abs(found - boxed).mean() < 0.02
    # Without antialiasing the difference is at least three times as large.
    nearest = cv2.resize(region, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    assert np.abs(nearest - area).mean() > 3 * np.abs(found - area).mean()
    box = (90, 70, 106, 86)  # enlarged it is bilinear inside
    found = crop(photo, box)[1:-1, 1:-1]
    expected = cv2.resize(cut(photo, box), (SIDE, SIDE))[1:-1, 1:-1]
    # At the border OpenCV repeats the region's edge; here the page goes on.
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_each_region_is_cut_from_its_own_image_not_rounded():
    ramp = torch.arange(100.0).expand(1, 100, 100)
    images = torch.stack([ramp, 1000 + ramp])
    box = [10.25, 0.0, 42.25, 32.0]
    rois = torch.tensor([[1, *box], [0, *box]])
    found = crop_regions(images, rois, SIDE)[:, 0, 5]
    # the centre of output pixel k is at 10.25 + k + 0.5, of pixel i at i + 0.5
    expected = 10.25 + torch.arange(SIDE)
    torch.testing.assert_close(found[1], expected)
    torch.testing.assert_close(found[0], expected + 1000)


def test_boxes_are_kept_inside_and_a_pixel_wide():
    boxes = [[-5, 2, 8, 9], [3, 3, 3, 3], [50, 50, 60, 60], [-9, -9, -1, 99]]
    boxes = torch.tensor(boxes).float()
    expected = [[0, 2, 8, 9], [3, 3, 4, 4], [19, 9, 20, 10], [0, 0, 1, 10]]
    assert keep_inside(boxes, torch.tensor([20.0, 10.0])).tolist() == expected


def test_jitter_moves_each_side_by_a_share_of_its_length():
    torch.manual_seed(0)
    boxes = torch.tensor([[10.0, 20.0, 110.0, 40.0]]).repeat(500, 1)
    moved = jitter_boxes(boxes, 0.1) - boxes
    assert moved.abs().amax(0) == pytest.approx([10, 2, 10, 2], rel=0.02)
    assert moved.abs().amax(0).tolist() <= [10, 2, 10, 2]
    assert moved.mean(0).abs().tolist() <= [1, 0.2, 1, 0.2]
    assert torch.equal(jitter_boxes(boxes, 0.0), boxes)


PRIORS = [
    torch.tensor([[0.0, 0, 10, 10], [10, 0, 20, 10], [10, 0, 19, 10]]),
    torch.tensor([[0.0, 0, 20, 20], [20, 0, 40, 20]]),
    torch.tensor([[0.0, 0, 40, 40]]),
]


def test_levels_are_drawn_from_all_priors_that_match():
    boxes = torch.cat([priors[[0, -1]] for priors in PRIORS])
    levels = draw_levels(boxes, PRIORS, pos_iou_thr=0.95)
    assert levels.tolist() == [0, 0, 1, 1, 2, 2]
    torch.manual_seed(0)
    box = torch.tensor([[0.0, 0.0, 28.0, 28.0]]).repeat(400, 1)
    # IoU 400 / 784 = 0.51 with a prior of level 1, 784 / 1600 = 0.49 of 2
    assert set(draw_levels(box, PRIORS, 0.5).tolist()) == {1}
    drawn = draw_levels(box, PRIORS, 0.45).bincount(minlength=3)
    assert drawn[0] == 0
    assert 150 < drawn[1] < 250
    # A box that matches none takes the best, of IoU 180 / 580 in level 1.
    thin = torch.tensor([[0.0, 0, 40, 9]])
    assert draw_levels(thin, PRIORS, 0.5).item() == 1
    assert draw_levels(box[:0], PRIORS, 0.5).shape == (0,)


@pytest.mark.parametrize(
    'box',
    [
        '3, 3, 3, 9',
        '9, 3, 3, 9',
        'nan, 3, 3, 9',
        '1, 1, inf, 9',
        '90, 90, 99, 99',
    ],
)
def test_truth_without_a_pixel_is_refused_by_name(box):
    box = [float(value) for value in box.split(', ')]
    rois = torch.tensor([[0, 1.0, 1.0, 5.0, 5.0], [1, *box]])
    size = torch.tensor([[50.0, 50.0]] * 2)
    message = rf'{re.escape(str(box))} of b.png .*Filter'
    with pytest.raises(ValueError, match=message):
        check_truth(rois, size, ['a.png', 'b.png'])
    beyond = torch.tensor([[0, -9.0, 40.0, 60.0, 60.0]])
    for fine in (rois[:1], beyond):
        check_truth(fine, size[:1], ['a.png'])


def test_pictures_undo_normalisation_and_order():
    bgr = torch.tensor([30.0, 60.0, 90.0]).view(1, 3, 1, 1)
    mean = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1)
    std = torch.tensor([2.0, 3.0, 4.0]).view(3, 1, 1)
    rgb = torch.tensor([90.0, 60.0, 30.0]) / 255
    normal = (bgr - mean) / std
    found = to_pictures(normal, 3, False, mean, std)
    torch.testing.assert_close(found.flatten(), rgb)
    found = to_pictures(bgr.flip(1), 3, True)
    torch.testing.assert_close(found.flatten(), rgb)
    grey = (0.299 * 90 + 0.587 * 60 + 0.114 * 30) / 255
    for is_rgb, image in ((False, bgr), (True, bgr.flip(1))):
        found = to_pictures(image, 1, is_rgb)
        assert found.flatten().tolist() == pytest.approx([grey])


@pytest.mark.parametrize('values', [1 << 22, 5000])
def test_quick_crops_are_those_of_roi_align(values, monkeypatch):
    monkeypatch.setattr(regions, 'MOST_VALUES', values)
    torch.manual_seed(0)
    images = torch.rand(3, 2, 70, 90)
    low = torch.rand(200, 2) * torch.tensor([80.0, 60.0])
    high = low + 0.5 + 60 * torch.rand(200, 2)
    high = torch.minimum(high, torch.tensor([90.0, 70.0]))
    rois = torch.cat([torch.randint(3, (200, 1)).float(), low, high], 1)
    sides = (rois[:, 3:] - rois[:, 1:3]).amax(1)
    assert 20 < (sides > SIDE).sum() < 180  # enlarged and reduced
    found = crop_regions(images, rois, SIDE)
    aligned = roi_align(images, rois, SIDE, sampling_ratio=-1, aligned=True)
    torch.testing.assert_close(found, aligned, rtol=0, atol=1e-4)
    assert crop_regions(images, rois[:0], SIDE).shape == (0, 2, SIDE, SIDE)
    with torch.autocast('cpu', torch.bfloat16):  # pictures are not rounded
        assert torch.equal(crop_regions(images, rois, SIDE), found)
