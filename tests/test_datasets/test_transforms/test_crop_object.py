"""CropObject cuts the image and the object's own mask alike."""

from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import Compose
from PIL import Image

from mmocc.datasets.transforms import CropObject

BOX = [4, 2, 14, 12]


@pytest.fixture
def sample(tmp_path):
    """A 30 x 20 photo; instance 2 is a 5 x 4 block at (6, 5)."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[0:9, 0:8] = 1
    mask[5:9, 6:11] = 2
    mask[9, 6:11] = 255
    write_mask(tmp_path / 'm.png', mask)
    return dict(
        img=photo,
        img_path='photo.jpg',
        crop_box=BOX,
        gt_bboxes=np.array([[2, 3, 7, 7]], np.float32),
        seg_map_path=str(tmp_path / 'm.png'),
        instance_id=2,
    )


def write_mask(path, mask):
    image = Image.fromarray(mask).convert('P')
    image.putpalette([7, 9, 11] * 256)  # colours must not matter
    image.save(path)


def test_the_crop_is_a_contiguous_copy_of_the_window(sample):
    whole, photo = sample['img'], sample['img'].copy()
    out = CropObject()(sample)
    np.testing.assert_array_equal(out['img'], photo[2:12, 4:14])
    assert out['img'].flags['C_CONTIGUOUS']
    assert out['img_shape'] == out['ori_shape'] == (10, 10)
    out['img'][:] = 0
    np.testing.assert_array_equal(whole, photo)
    assert 'gt_seg_map' not in out


def test_the_mask_holds_this_object_only(sample):
    unmasked = CropObject(True)({**sample, 'seg_map_path': None})
    assert 'gt_seg_map' not in unmasked
    out = CropObject(with_mask=True)(sample)
    expected = np.zeros((10, 10), np.uint8)
    expected[3:7, 2:7] = 1  # (6, 5) in the photo minus the window's (4, 2)
    np.testing.assert_array_equal(out['gt_seg_map'], expected)
    assert out['gt_seg_map'].dtype == np.uint8


def test_host_transforms_carry_mask_and_box_along(sample):
    crop = dict(type='mmocc.CropObject', with_mask=True)
    flip = dict(type='RandomFlip', prob=1.0, direction='horizontal')
    out = Compose([crop, dict(type='Resize', scale=(20, 40)), flip])(sample)
    x1, y1, x2, y2 = out['gt_bboxes'][0].astype(int)
    assert [x1, y1, x2, y2] == [6, 12, 16, 28]  # x: 2..7 -> 4..14 -> 6..16
    expected = np.zeros((40, 20), np.uint8)
    expected[y1:y2, x1:x2] = 1
    np.testing.assert_array_equal(out['gt_seg_map'], expected)


@pytest.mark.parametrize(
    'box', [[0, 0, 31, 5], [-1, 0, 5, 5], [5, 5, 5, 9], [0, 9, 9, 3]]
)
def test_a_window_that_does_not_fit_is_named_with_its_photo(sample, box):
    with pytest.raises(ValueError, match=r'photo\.jpg: crop_box .* 30 x 20'):
        CropObject()({**sample, 'crop_box': box})


def test_a_wrong_mask_is_named(sample):
    path, crop = Path(sample['seg_map_path']), CropObject(with_mask=True)
    for number in (3, 255):
        match = rf'm\.png: .* instance {number}'
        with pytest.raises(ValueError, match=match):
            crop({**sample, 'instance_id': number})
    write_mask(path, np.full((20, 29), 2, np.uint8))
    with pytest.raises(ValueError, match=r'm\.png.*\(20, 29\).*photo\.jpg'):
        crop(dict(sample))
    Image.new('RGB', (30, 20)).save(path)
    with pytest.raises(ValueError, match=r'm\.png: an image of mode RGB'):
        crop(dict(sample))
    for spoil in (lambda: path.write_bytes(b'no image'), path.unlink):
        spoil()
        with pytest.raises(ValueError, match=r'm\.png: unreadable'):
            crop(dict(sample))
