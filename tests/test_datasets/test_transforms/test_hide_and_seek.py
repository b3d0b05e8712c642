import numpy as np
import pytest

from mmocc.datasets.transforms import HideAndSeek

MEAN = (10.4, 20.6, 30.5)


def image(h=50, w=70):
    rng = np.random.default_rng(0)
    return rng.integers(100, 256, (h, w, 3), np.uint8)


@pytest.mark.parametrize('size', [(50, 70), (70, 50), (64, 64), (7, 90)])
def test_hidden_cells_have_the_mean_and_the_others_are_untouched(size):
    before = image(*size)
    transform = HideAndSeek([16], fill=MEAN, keep_mask=True)
    np.random.seed(0)
    results = transform(dict(img=before))
    mask = results['occlusion_mask']
    assert mask.shape == size
    assert 0 < mask.mean() < 1
    assert (results['img'][mask == 1] == (10, 21, 30)).all()
    assert np.array_equal(results['img'][mask == 0], before[mask == 0])
    assert np.array_equal(before, image(*size))
    for y in range(0, size[0], 16):
        for x in range(0, size[1], 16):
            assert len(np.unique(mask[y : y + 16, x : x + 16])) == 1


def test_every_pixel_is_hidden_as_often_as_asked_also_at_the_clipped_end():
    transform = HideAndSeek([44], hide_prob=0.25, fill=MEAN, keep_mask=True)
    np.random.seed(0)
    masks = [
        transform(dict(img=image(50, 100)))['occlusion_mask']
        for _ in range(2000)
    ]
    share = np.mean(masks, axis=0)
    assert np.abs(share - 0.25).max() < 0.05  # 5 standard deviations


def test_sizes_are_drawn_anew_and_zero_leaves_the_image_alone():
    transform = HideAndSeek([0, 16], fill=MEAN, keep_mask=True)
    np.random.seed(0)
    hidden = [
        transform(dict(img=image()))['occlusion_mask'].any()
        for _ in range(200)
    ]
    assert 0.35 < np.mean(hidden) < 0.65


def test_a_grey_float_image_is_filled_exactly():
    before = np.ones((20, 20), np.float32)
    after = HideAndSeek([8], hide_prob=1, fill=[0.25])(dict(img=before))['img']
    assert (after == 0.25).all()
    assert after.dtype == np.float32


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(grid_sizes=[-1]), r'whole numbers.*\[-1\]'),
        (dict(grid_sizes=[]), 'whole numbers'),
        (dict(grid_sizes=[7.5]), 'whole numbers'),
        (dict(hide_prob=1.5), 'in .0, 1., got 1.5'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        HideAndSeek(**arguments)


def test_a_fill_that_does_not_fit_the_channels_is_named():
    with pytest.raises(ValueError, match=r'x\.png has 1 channel.*3 values'):
        HideAndSeek()(dict(img=np.zeros((4, 4), np.uint8), img_path='x.png'))
