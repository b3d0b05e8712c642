"""Mask files of the occluded sets: thresholds, modes, sizes."""

import numpy as np
import pytest
from PIL import Image

from mmocc.datasets.occlusion_masks import (
    read_object_mask,
    read_occluder_mask,
    read_vehicle_masks,
    read_white,
    resize_mask,
)
from mmocc.registry import TRANSFORMS

GREYS = np.array([[0, 3, 127, 128, 250, 255]], np.uint8)


@pytest.mark.parametrize('mode', ['L', 'RGB', '1'])
def test_white_begins_above_half_in_every_mode(tmp_path, mode):
    path = tmp_path / 'm.png'
    if mode == '1':  # keeps black and white only
        Image.fromarray(GREYS > 127).save(path)
    else:
        Image.fromarray(GREYS).convert(mode).save(path)
    assert read_white(str(path)).tolist() == [[0, 0, 0, 1, 1, 1]]
    pixels = np.array([[[255, 0, 0], [0, 255, 255]]], np.uint8)
    Image.fromarray(pixels).save(path)  # the first channel counts
    assert read_white(str(path)).tolist() == [[1, 0]]
    path.write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'm\.png: unreadable mask'):
        read_white(str(path))


def test_a_mask_short_by_rounding_is_filled_up(tmp_path):
    path = tmp_path / 'm.png'
    Image.fromarray(np.full((224, 335), 255, np.uint8)).save(path)
    item, hidden = read_vehicle_masks(str(path), None, (40, 60))
    assert item.shape == hidden.shape == (40, 60)
    assert item[:, :59].all() and not hidden.any()


@pytest.mark.parametrize(('value', 'counts'), [(10, 0), (11, 1)])
def test_an_object_begins_above_ten(tmp_path, value, counts):
    np.savez(tmp_path / 'a.npz', mask=np.full((2, 3), value, np.uint8))
    mask = read_object_mask(str(tmp_path / 'a.npz'), (4, 6))
    np.testing.assert_array_equal(mask, np.full((4, 6), counts))


def test_any_channel_hides_and_resizing_invents_no_values(tmp_path):
    mask = np.zeros((2, 3, 3), bool)
    mask[0, 1, 2] = True
    np.savez(tmp_path / 'a.npz', occluder_mask=mask)
    hidden = read_occluder_mask(str(tmp_path / 'a.npz'), (2, 3))
    assert hidden.tolist() == [[0, 1, 0], [0, 0, 0]]
    resized = resize_mask(hidden, (13, 29))
    assert set(np.unique(resized)) == {0, 1}


def test_the_transform_is_registered_and_refuses_other_samples():
    transform = TRANSFORMS.build(dict(type='mmocc.LoadOcclusionMasks'))
    assert repr(transform) == 'LoadOcclusionMasks()'
    sample = dict(img=np.zeros((4, 4, 3), np.uint8), img_path='x.jpg')
    with pytest.raises(ValueError, match=r'x\.jpg: the sample names no masks'):
        transform(sample)
