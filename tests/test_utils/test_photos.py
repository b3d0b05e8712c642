"""Photos with an orientation in their header: sizes, pixels, annotations."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mmocc.occlusion.banks import read_cutout
from mmocc.utils.photos import (
    agree,
    open_shown,
    photo_size,
    read_shown,
    turn,
    turn_shown,
)

STORED = (60, 40)  # (w, h)
SHOWN = (40, 60)


def save(path, orientation, mode='RGB', size=STORED):
    """Write a picture of four colours that is stored lying."""
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[: size[1] // 2, :, 0] = 200
    pixels[:, : size[0] // 2, 1] = 200
    pixels[..., 3] = 255
    image = Image.fromarray(pixels, 'RGBA').convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(
        path, exif=exif, **({'quality': 95} if 'j' in path.name else {})
    )
    return path


@pytest.mark.parametrize('ending', ['jpg', 'png', 'webp', 'tif'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_the_size_and_pixels_are_what_opencv_shows(
    tmp_path, ending, orientation
):
    path = save(tmp_path / f'a.{ending}', orientation)
    data = np.fromfile(path, np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert photo_size(path) == shown.shape[1::-1]
    assert np.array_equal(read_shown(path), shown)
    pixels = np.array(open_shown(path))[..., ::-1]
    assert np.abs(pixels.astype(int) - shown).mean() < 12
    whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert np.abs(turn_shown(whole, path).astype(int) - shown).mean() < 12


def test_jpeg_png_and_tiff_are_turned_as_their_header_says(tmp_path):
    for ending in ('jpg', 'png', 'tif'):
        path = save(tmp_path / f'a.{ending}', 6)
        assert photo_size(path) == SHOWN
        pixels = np.array(open_shown(path))
        again = np.array(ImageOps.exif_transpose(Image.open(path)))
        assert np.array_equal(pixels, again)


def test_an_orientation_after_the_pixels_of_a_png_counts(tmp_path):
    path = save(tmp_path / 'a.png', 6)
    data = path.read_bytes()
    start = data.index(b'eXIf') - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], 'big')
    last = data.index(b'IEND') - 4
    parts = data[:start], data[end:last], data[start:end], data[last:]
    path.write_bytes(b''.join(parts))
    assert 'exif' not in Image.open(path).info
    assert photo_size(path) == cv2.imread(str(path)).shape[1::-1] == SHOWN
    assert np.array(open_shown(path)).shape == (60, 40, 3)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turn_is_what_pillow_does(orientation):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(image))
    assert np.array_equal(turn(pixels, orientation), expected)


def test_a_cutout_is_read_as_it_is_shown(tmp_path):
    path = save(tmp_path / 'a.png', 6, 'RGBA')
    image = Image.open(path)
    expected = np.array(ImageOps.exif_transpose(image))[..., [2, 1, 0, 3]]
    assert np.array_equal(read_cutout(path), expected)


@pytest.mark.parametrize(
    'header', [b'', b'Exif\0\0', b'Exif\0\0II*\0\xff\xff\xff\xff', b'x' * 40]
)
def test_a_damaged_header_turns_nothing(tmp_path, header):
    Image.new('RGB', STORED).save(tmp_path / 'a.jpg', exif=header)
    assert photo_size(tmp_path / 'a.jpg') == STORED
    (tmp_path / 'b.jpg').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'b\.jpg: unreadable image'):
        photo_size(tmp_path / 'b.jpg')


INSIDE, ACROSS = (4, 19, 25, 58), (5, 5, 55, 35)  # of the photo as shown


@pytest.mark.parametrize(
    ('stated', 'boxes', 'by_header'),
    [
        (None, [ACROSS], False),
        ((None, 60), [ACROSS], False),
        (SHOWN, [ACROSS], False),  # partly outside, but the sizes agree
        (STORED, [INSIDE], True),
        (STORED, [(-1, 0, 41, 60)], True),
        (STORED, [], True),
    ],
)
def test_a_stated_size_agrees(tmp_path, stated, boxes, by_header):
    path = save(tmp_path / 'a.jpg', 6)
    assert agree(path, stated, 'a.xml', boxes) == (SHOWN, by_header)


@pytest.mark.parametrize(
    ('stated', 'boxes', 'told'),
    [
        (STORED, [INSIDE, ACROSS], r'40 x 60 .*a\.xml is for 60 x 40.*EXIF'),
        ((61, 40), [INSIDE], r'40 x 60 pixels, but a\.xml is for 61 x 40'),
    ],
)
def test_sizes_that_differ_are_both_named(tmp_path, stated, boxes, told):
    path = save(tmp_path / 'a.jpg', 6)
    with pytest.raises(ValueError, match=rf'a\.jpg: is {told}'):
        agree(path, stated, 'a.xml', boxes)
    plain = save(tmp_path / 'b.jpg', 1)
    with pytest.raises(ValueError, match='is for 40 x 60; they do not'):
        agree(plain, SHOWN, 'b.xml', [INSIDE])
