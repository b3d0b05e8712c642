"""AlignFace: points come to the template, and the picture with them."""

import numpy as np
import pytest

from mmocc.datasets.transforms.align_face import (
    TEMPLATE,
    AlignFace,
    fit_similarity,
    five_points,
    move_points,
)
from mmocc.registry import TRANSFORMS

# A face of 40 pixels between the eyes, in a photo of 200 x 160.
POINTS = np.array([(60, 50), (100, 50), (80, 70), (64, 88), (96, 88)], float)


def turned(points, angle, scale=1.0, shift=(0, 0)):
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]]) + shift


def disc(point, shape=(160, 200), radius=3):
    """Return a black photo with a white disc at a point."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    distance = np.hypot(x - point[0], y - point[1])
    grey = 255 * np.clip(radius - distance + 0.5, 0, 1)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def centre(image):
    """Return the centre of the bright pixels."""
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def spots(points, shape=(160, 200), radius=3, **kwargs):
    """Return where alignment moves a disc at each of the points."""
    photos = [disc(point, shape, radius) for point in points]
    return np.array(
        [centre(align(points, p, **kwargs)['img']) for p in photos]
    )


def align(points, photo=None, **kwargs):
    photo = disc(points[2]) if photo is None else photo
    results = dict(img=photo, landmarks=points.tolist(), img_path='a.jpg')
    return AlignFace(**{'size': 64, **kwargs})(results)


# -- the maths ---------------------------------------------------------------


def test_a_similarity_is_exact_or_the_nearest():
    moved = turned(POINTS, 0.4, 1.7, (12, -5))
    matrix = fit_similarity(POINTS, moved)
    cos, sin = 1.7 * np.cos(0.4), 1.7 * np.sin(0.4)
    assert np.allclose(matrix, [[cos, -sin, 12], [sin, cos, -5]])
    assert np.allclose(move_points(matrix, POINTS), moved)
    with pytest.raises(ValueError, match='at one place'):
        fit_similarity(np.ones((5, 2)), POINTS)
    rng = np.random.default_rng(0)
    goal = turned(POINTS, 0.2) + rng.normal(0, 3, POINTS.shape)
    best = fit_similarity(POINTS, goal)

    def distance(matrix):
        return ((move_points(matrix, POINTS) - goal) ** 2).sum()

    for _ in range(50):
        a, b, x, y = rng.normal(0, 0.01, 4)
        other = best + np.array([[a, -b, 50 * x], [b, a, 50 * y]])
        assert distance(best) < distance(other)


def test_five_of_68_points():
    points = np.stack([np.arange(68.0), 100 + np.arange(68.0)], 1)
    assert five_points(points)[:, 0].tolist() == [38.5, 44.5, 30, 48, 54]


# -- the transform -----------------------------------------------------------


@pytest.mark.parametrize('angle', [0.0, -1.2, 3.0])
def test_picture_and_landmarks_come_to_the_template(angle):
    points = turned(POINTS - (80, 69), angle, shift=(100, 80))
    kwargs = dict(template=POINTS / 160, size=160)
    results = align(points, **kwargs)
    assert np.allclose(results['landmarks'], POINTS, atol=1e-6)
    # the discs are at the landmarks, to a part of a pixel
    assert np.abs(spots(points, radius=6, **kwargs) - POINTS).max() < 0.05
    assert results['img_shape'] == results['ori_shape'] == (160, 160)


def test_a_large_photo_is_reduced_without_aliasing():
    photo = np.zeros((640, 800, 3), np.uint8)
    photo[:, ::2] = 200  # lines of one pixel: the mean is 100
    img = align(6 * POINTS, photo, size=32)['img'].astype(int)
    assert np.abs(img[8:-8, 8:-8] - 100).max() <= 4
    places = spots(4 * POINTS, (640, 800), 12)
    assert np.abs(places - align(4 * POINTS)['landmarks']).max() < 0.1


def test_size_and_border_are_chosen_and_the_input_stays():
    results = align(POINTS, size=(48, 64))
    assert results['img'].shape == (64, 48, 3)
    assert results['img_shape'] == (64, 48)
    photo = np.zeros((160, 200, 3), np.uint8)
    img = align(POINTS - (60, 50), photo, border=77)['img']
    assert (img[0] == 77).all()
    assert (photo == 0).all()


def test_a_detector_replaces_the_landmarks_of_the_sample():
    shapes = []

    def detector(image):
        shapes.append(image.shape)
        return POINTS

    results = align(POINTS + 30, detector=detector)
    assert shapes == [(160, 200, 3)]
    expected = fit_similarity(POINTS, 64 * np.array(TEMPLATE))
    assert np.allclose(results['align_matrix'], expected)
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = POINTS[:2, None]
    points[[30, 48, 54]] = POINTS[2:]
    results = align(POINTS + 30, detector=lambda image: points)  # 68 points
    assert np.allclose(results['align_matrix'], expected)


def test_a_detector_is_named_in_a_config():
    cfg = dict(type='mmocc.AlignFace', size=64, detector='numpy.zeros_like')
    assert TRANSFORMS.build(cfg).detector is np.zeros_like
    with pytest.raises(ValueError, match='neither a callable nor the name'):
        AlignFace(64, detector='no.such_function')


def test_a_photo_without_a_face_is_refused_or_used_whole():
    with pytest.raises(ValueError, match=r'a.jpg: the detector found no'):
        align(POINTS, detector=lambda image: None)
    kwargs = dict(detector=lambda image: None, no_face='resize')
    whole = align(POINTS, **kwargs)
    assert np.allclose(whole['align_matrix'], [[0.32, 0, 0], [0, 0.4, 0]])
    places = spots(POINTS, radius=8, **kwargs)
    assert np.abs(places - POINTS * (0.32, 0.4)).max() < 0.1


def test_a_face_smaller_than_a_patch_is_refused():
    # the eyes are 0.36 of the side apart: at 5 pixels the side is about 14
    tiny = POINTS / 8 + 20
    with pytest.raises(ValueError, match=r'a.jpg: the face has 1\d\.\d pix'):
        align(tiny, min_size=16)
    assert align(tiny, min_size=8)['img'].shape == (64, 64, 3)


@pytest.mark.parametrize(
    ('points', 'message'),
    [
        (POINTS[[1, 0, 2, 4, 3]], 'are not those of a face'),
        (POINTS[[3, 4, 2, 0, 1]], 'are not those of a face'),
        (np.full((5, 2), np.nan), '^a.jpg: '),
        (np.zeros((4, 2)), '^a.jpg: '),
    ],
)
def test_points_of_no_face_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        align(POINTS, detector=lambda image: points)


def test_wrong_samples_and_arguments_are_refused():
    results = dict(img=disc(POINTS[2]), img_path='a.jpg')
    with pytest.raises(ValueError, match=r'a.jpg: no `landmarks`'):
        AlignFace(64)(dict(results))
    with pytest.raises(ValueError, match='right after LoadImageFromFile'):
        AlignFace(64)(dict(results, landmarks=POINTS, flip=True))
    with pytest.raises(ValueError, match='five points'):
        AlignFace(64, template=[(0.3, 0.4)])
    with pytest.raises(ValueError, match='no_face'):
        AlignFace(64, no_face='skip')
