import numpy as np
import pytest

from mmocc.occlusion.paste import (
    blend,
    face_turn,
    fade,
    fit_affine,
    mask_targets,
    place_affine,
    render_cutout,
)

# eyes 20 px apart, mouth 20 px below their middle at (32, 24)
FACE = np.array([(22, 24), (42, 24), (32, 34), (26, 44), (38, 44)], float)


def rotate(points, degrees):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (points - 32) @ np.array([[cos, sin], [-sin, cos]]) + 32


def test_a_face_that_looks_to_a_side_is_turned_and_narrower_there():
    assert face_turn(FACE) == 0
    nosed = FACE.copy()
    nosed[2, 0] += 5  # a quarter of the eyes' distance to the right
    assert np.isclose(face_turn(nosed), 0.25)
    assert np.isclose(face_turn(rotate(nosed, 30)), 0.25)
    left, middle, right = mask_targets(nosed)[:3, 0]
    assert middle > 32
    assert right - middle < middle - left


def test_a_mask_lies_between_nose_bridge_and_chin_and_moves_with_its_face():
    targets = mask_targets(FACE)
    top, chin = targets[1], targets[4]
    assert top[0] == chin[0] == 32
    assert 24 < top[1] < 34 < 44 < chin[1]  # eyes, nose, mouth, chin
    assert np.allclose(targets[0] - 32, (targets[2] - 32) * (-1, 1))
    moved = rotate(FACE, 25) * 2 + (3, 5)
    assert np.allclose(mask_targets(moved), rotate(targets, 25) * 2 + (3, 5))
    with pytest.raises(ValueError, match='no face'):
        mask_targets(np.zeros((5, 2)))


def test_the_affine_map_is_the_one_that_made_the_points():
    source = np.random.default_rng(0).random((6, 2))
    affine = np.array([[2, 0.5, 3], [-1, 1.5, 4]])
    target = source @ affine[:, :2].T + affine[:, 2]
    assert np.allclose(fit_affine(source, target), affine)


def test_a_cutout_lies_where_its_map_says():
    pixels = np.full((20, 40, 4), (10, 20, 30, 255), np.uint8)
    affine = place_affine((20, 40), (32, 16), 20, 0, False)
    colours, cover = render_cutout(pixels, affine, (32, 64), 0)
    wanted = np.zeros((32, 64), bool)
    wanted[11:21, 22:42] = True  # 10 x 20 pixels around (32, 16)
    assert ((cover >= 0.5) == wanted).all()
    assert np.allclose(colours[wanted], (10, 20, 30), atol=0.01)


@pytest.mark.parametrize('length', [8, 20, 64])
def test_the_middle_stays_put_at_any_size_and_angle(length):
    pixels = np.full((20, 40, 4), 255, np.uint8)
    for angle, mirror in ((0, True), (33, False), (90, True)):
        affine = place_affine((20, 40), (50.5, 41.5), length, angle, mirror)
        cover = render_cutout(pixels, affine, (90, 100), 0)[1]
        rows, columns = np.indices(cover.shape) + 0.5
        centre = [(a * cover).sum() / cover.sum() for a in (columns, rows)]
        assert np.allclose(centre, (50.5, 41.5), atol=0.3)
        assert np.isclose(cover.sum(), length**2 / 2, rtol=0.15)


def test_a_mirrored_cutout_shows_its_right_side_on_the_left():
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[:, :4, :3] = 0
    affine = place_affine((8, 8), (4, 4), 8, 0, True)
    colours, _ = render_cutout(pixels, affine, (8, 8), 0)
    assert (colours[:, :3] == 255).all() and (colours[:, 5:] == 0).all()


def test_a_border_fades_inwards_and_only_there():
    cover = np.zeros((40, 40), np.float32)
    cover[10:30, 10:30] = 1
    soft = fade(cover, 4)
    assert (soft[cover == 0] == 0).all()
    assert (soft <= cover).all()
    assert soft[20, 20] > 0.99
    assert 0 < soft[20, 11] < 0.9 and soft[20, 10] < soft[20, 12]
    assert fade(cover, 0) is cover


def test_blending_is_the_weighted_mean():
    image = np.full((1, 3, 3), 100, np.uint8)
    cover = np.array([[0, 0.25, 1]], np.float32)
    out = blend(image, np.full((1, 3, 3), 200, np.float32), cover)
    assert out[0, :, 0].tolist() == [100, 125, 200]
    assert (image == 100).all()
