import cv2
import numpy as np
import pytest

from mmocc.occlusion.banks import load_cutouts, load_textures, noise_sheet
from mmocc.occlusion.cutouts import load_cutout
from mmocc.occlusion.occluders import OccluderBank


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def test_textures_are_the_central_square_in_bgr(tmp_path):
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = (10, 20, 30)
    write(tmp_path / 'deep' / 'a.png', image)
    sheets = load_textures(tmp_path, size=10)
    assert sheets.shape == (1, 3, 10, 10)
    assert sheets[0, :, 5, 5].tolist() == [10, 20, 30]
    assert (sheets == sheets[..., :1, :1]).all()
    assert len(load_textures([tmp_path, tmp_path / 'deep'], size=8)) == 2


def test_cutouts_are_cropped_to_what_is_opaque_and_anchored_in_it(tmp_path):
    image = np.zeros((40, 40, 4), np.uint8)
    image[10:20, 5:35] = (1, 2, 3, 255)
    write(tmp_path / 'a.png', image)
    bank = load_cutouts(tmp_path, size=16)
    assert bank.aspects.tolist() == [3.0]
    assert (bank.sheets[0, 3] == 255).all()
    assert bank.sheets[0, :3, 0, 0].tolist() == [1, 2, 3]
    cv2.circle(image, (16, 16), 14, (9, 9, 9, 255), 3)  # not in its middle
    image[10:20, 5:35, 3] = 0
    write(tmp_path / 'a.png', image)
    bank = load_cutouts(tmp_path, size=32)
    cells = ((bank.anchors[0] + 1) * 16).long()
    assert (bank.sheets[0, 3, cells[:, 1], cells[:, 0]] >= 128).all()


def test_noise_is_uniform_and_repeatable():
    sheet = noise_sheet()
    assert (sheet == noise_sheet()).all()
    counts = sheet.flatten().bincount(minlength=256).float()
    expected = sheet.numel() / 256
    assert (counts / expected - 1).abs().max() < 0.1


@pytest.mark.parametrize(
    ('load', 'content', 'message'),
    [
        (load_textures, None, r'bank.*holds no image'),
        (load_textures, b'', r'bad\.png.*not a readable image'),
        (load_textures, b'not an image', r'bad\.png.*not a readable image'),
        (load_cutouts, np.ones((8, 8, 3), 'u1'), r'bad\.png.*no alpha'),
        (load_cutouts, np.zeros((8, 8, 4), 'u1'), r'bad\.png.*transparent'),
    ],
)
def test_a_bad_bank_is_named(tmp_path, load, content, message):
    path = tmp_path / 'bank' / 'bad.png'
    with pytest.raises(FileNotFoundError, match=r'bank.*not a folder'):
        load(path.parent)
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write(path, content)
    with pytest.raises(ValueError, match=message):
        load(path.parent)
    if load is load_cutouts:
        with pytest.raises(ValueError, match=message):
            load_cutout(path)


def test_a_bank_holds_the_sheets_of_its_kinds_and_says_what_it_needs():
    assert set(OccluderBank(['white', 'noise']).sheets) == {'noise'}
    with pytest.raises(ValueError, match="'object' needs object_bank"):
        OccluderBank(['object'])
    with pytest.raises(ValueError, match='kinds is empty'):
        OccluderBank([])
