import warnings

import numpy as np
import pytest
from mmcv.transforms import Compose, RandomFlip, TransformBroadcaster
from mmengine.registry import DefaultScope
from PIL import Image

from mmocc.datasets.transforms import HideAndSeek
from mmocc.registry import TRANSFORMS

MEAN = (10.4, 20.6, 30.5)
IMAGENET_BGR = (104, 116, 124)  # rounded, where truncation gives 103, 116, 123


def image(h=50, w=70):
    rng = np.random.default_rng(0)
    return rng.integers(130, 256, (h, w, 3), np.uint8)


@pytest.mark.parametrize('cell', [1, 7, 44])
@pytest.mark.parametrize('size', [(50, 70), (64, 64), (7, 90)])
def test_hidden_cells_have_the_mean_and_the_others_are_untouched(size, cell):
    before = image(*size)
    transform = HideAndSeek([cell], fill=MEAN, keep_mask=True)
    np.random.seed(0)
    shares = []
    for _ in range(10):
        results = transform(dict(img=before))
        mask = results['occlusion_mask']
        assert mask.shape == size
        assert (results['img'][mask == 1] == (10, 21, 30)).all()
        assert np.array_equal(results['img'][mask == 0], before[mask == 0])
        for y in range(0, size[0], cell):
            for x in range(0, size[1], cell):
                assert len(np.unique(mask[y : y + cell, x : x + cell])) == 1
        shares.append(mask.mean())
    assert np.array_equal(before, image(*size))
    assert 0 < np.mean(shares) < 1


def test_every_pixel_is_hidden_equally_often_even_at_the_clipped_end():
    transform = HideAndSeek([44], hide_prob=0.25, fill=MEAN, keep_mask=True)
    np.random.seed(0)
    data = [dict(img=image(50, 100)) for _ in range(2000)]
    share = np.mean([transform(d)['occlusion_mask'] for d in data], axis=0)
    assert np.abs(share - 0.25).max() < 0.05  # 5 standard deviations


@pytest.mark.parametrize(
    ('cell', 'spread'), [(16, 0.0357), (32, 0.0714), (44, 0.0966), (56, 0.125)]
)
def test_the_hidden_share_spreads_as_independent_cells_do(cell, spread):
    transform = HideAndSeek([cell], keep_mask=True)
    np.random.seed(0)
    before = np.zeros((224, 224, 3), np.uint8)
    shares = [
        transform(dict(img=before))['occlusion_mask'].mean()
        for _ in range(1000)
    ]
    assert np.mean(shares) == pytest.approx(0.5, abs=5 * spread / 1000**0.5)
    assert np.std(shares) == pytest.approx(spread, rel=0.12)


def test_each_size_is_drawn_as_often_and_zero_leaves_the_image_alone():
    transform = HideAndSeek([0, 1, 64], fill=MEAN, keep_mask=True)
    np.random.seed(0)
    counts = np.zeros(3)
    before = image(64, 64)
    for _ in range(900):
        results = transform(dict(img=before))
        changes = np.diff(results['occlusion_mask'].astype(int)).any()
        hidden = results['occlusion_mask'].any()
        counts[1 if changes else 2 if hidden else 0] += 1
        if not hidden:
            assert np.array_equal(results['img'], before)
    # 0: a third and half of those of one cell; else a third, a sixth
    assert np.allclose(counts / 900, [1 / 2, 1 / 3, 1 / 6], atol=0.06)


def test_extremes_of_grids_and_fills():
    before = image()
    results = HideAndSeek([0], keep_mask=True)(dict(img=before))
    assert results['img'] is before
    assert results['occlusion_mask'].shape == (50, 70)
    assert not results['occlusion_mask'].any()
    after = HideAndSeek([8], hide_prob=1)(dict(img=before))['img']
    assert (after == IMAGENET_BGR).all()
    after = HideAndSeek([8], hide_prob=1, fill=7)(dict(img=before))['img']
    assert (after == 7).all()
    for shape in ((20, 20), (20, 20, 1)):  # a grey float image
        grey = dict(img=np.ones(shape, np.float32))
        after = HideAndSeek([8], hide_prob=1, fill=[0.25])(grey)['img']
        assert (after == 0.25).all()
        assert (after.dtype, after.shape) == (np.float32, shape)


def test_noise_differs_from_pixel_to_pixel_and_between_channels():
    before = np.full((64, 64, 3), 255, np.uint8)
    transform = HideAndSeek([16], fill='noise', keep_mask=True)
    np.random.seed(1)
    results = transform(dict(img=before))
    noise = results['img'][results['occlusion_mask'] == 1]
    assert (results['img'][results['occlusion_mask'] == 0] == 255).all()
    assert noise.mean() == pytest.approx(127.5, abs=5)
    assert noise.std() == pytest.approx(73.9, abs=5)  # uniform
    assert (noise[:, 0] != noise[:, 1]).mean() > 0.9
    assert (before == 255).all()


@pytest.mark.parametrize('dtype', ['uint16', 'int16', 'float64'])
def test_other_types_and_channels_are_filled_in_their_own_units(dtype):
    before = np.full((20, 30, 5), 1000, dtype)
    transform = HideAndSeek([8], fill=[1.5, 300, 2, 3, 4.25], keep_mask=True)
    results = transform(dict(img=before))
    hidden = results['img'][results['occlusion_mask'] == 1]
    wanted = [1.5, 300, 2, 3, 4.25] if dtype[0] == 'f' else [2, 300, 2, 3, 4]
    assert (hidden == wanted).all()
    assert (results['img'][results['occlusion_mask'] == 0] == 1000).all()


def test_the_seed_decides_even_for_a_flipped_view():
    view = image()[:, ::-1]
    results = []
    for seed, before in ((3, view), (3, view.copy()), (4, view)):
        np.random.seed(seed)
        results.append(HideAndSeek([16])(dict(img=before))['img'])
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_one_draw_can_be_shared_between_images():
    step = HideAndSeek([8], fill='noise')
    assert repr(step) == (
        "HideAndSeek(grid_sizes=[8], hide_prob=0.5, fill='noise', "
        "keep_mask=False, key='img')"
    )
    share = TransformBroadcaster(
        [step],
        mapping=dict(img=['img', 'twin']),
        auto_remap=True,
        share_random_params=True,
    )
    results = share(dict(img=image(), twin=image()))
    assert np.array_equal(results['img'], results['twin'])


def test_boxes_are_kept_in_detection_pipelines():
    pytest.importorskip('mmdet')
    boxes = np.array([[2.0, 2, 20, 20], [30, 10, 60, 40]], np.float32)
    with DefaultScope.overwrite_default_scope('mmdet'):
        step = TRANSFORMS.build(
            dict(type='mmocc.HideAndSeek', grid_sizes=[8], hide_prob=1)
        )
        pack = dict(type='PackDetInputs', meta_keys=())
        sample = dict(
            img=image(),
            gt_bboxes=boxes,
            gt_bboxes_labels=np.array([0, 1]),
            gt_ignore_flags=np.zeros(2, bool),
        )
        packed = Compose([RandomFlip(0.0), step, pack])(sample)
    after = packed['data_samples'].gt_instances.bboxes
    assert np.array_equal(np.asarray(after), boxes)
    assert packed['inputs'].flatten(1).unique(dim=1).tolist() == [
        [value] for value in IMAGENET_BGR
    ]


def test_a_cell_larger_than_the_image_is_allowed_with_one_warning():
    transform = HideAndSeek([56], hide_prob=1, keep_mask=True)
    with pytest.warns(UserWarning, match='56 pixels is all of .* 32x32'):
        results = transform(dict(img=image(32, 32)))
    assert results['occlusion_mask'].all()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        transform(dict(img=image(32, 32)))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(grid_sizes=[-1]), r'whole numbers.*\[-1\]'),
        (dict(grid_sizes=[]), 'whole numbers'),
        (dict(hide_prob=1.5), 'in .0, 1., got 1.5'),
        (dict(fill='median'), "'noise', a number.*got 'median'"),
        (dict(fill=[1, float('nan'), 2]), 'fill must be'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        HideAndSeek(**arguments)


@pytest.mark.parametrize(
    ('fill', 'pixels', 'message'),
    [
        ('mean', np.zeros((4, 4), 'u1'), r'x\.png has 1 channel.*ImageNet'),
        ((1, 2), np.zeros((4, 4, 3), 'u1'), r'x\.png has 3 .* 2 values'),
        ('mean', np.zeros((4, 4, 3), 'f4'), 'is float32.*0 if it is normal'),
        ('noise', np.zeros((4, 4, 3), 'f4'), "float32.*fill='noise'"),
        (300, np.zeros((4, 4, 3), 'u1'), '0 to 255, which fill=300 is not'),
        (-1, np.zeros((4, 4, 3), 'u1'), 'fill=-1'),
        (0, np.zeros((4, 4, 3), '?'), 'is bool; .* takes uint8'),
    ],
)
def test_a_fill_that_does_not_fit_is_refused_with_the_reason(
    fill, pixels, message
):
    with pytest.raises(ValueError, match=message):
        HideAndSeek(fill=fill)(dict(img=pixels, img_path='x.png'))


def test_one_size_is_a_choice_of_one():
    assert HideAndSeek(8).grid_sizes == [8]
    assert HideAndSeek(np.int64(8)).grid_sizes == [8]
    for size in (-1, 0.5, float('nan')):
        with pytest.raises(ValueError, match=f'whole numbers.*{size}'):
            HideAndSeek(size)


@pytest.mark.parametrize('fill', ['mean', 'noise', 7, (7, 8, 9)])
def test_alpha_is_kept(fill):
    before = np.dstack([image(), image()[..., :1]])
    results = HideAndSeek(8, fill=fill, keep_mask=True)(dict(img=before))
    hidden = results['occlusion_mask'] == 1
    assert np.array_equal(results['img'][..., 3], before[..., 3])
    changed = (results['img'] != before).any(axis=-1)
    assert changed[hidden].mean() > 0.99 and not changed[~hidden].any()
    four = HideAndSeek(8, fill=(1, 2, 3, 4), hide_prob=1)  # as it says
    assert (four(dict(img=before))['img'] == (1, 2, 3, 4)).all()


@pytest.mark.parametrize('pixels', [np.zeros((2, 4, 4, 3), 'u1'), 'text'])
def test_what_is_no_image_is_named(pixels):
    with pytest.raises(ValueError, match=r'x\.png: .* takes arrays'):
        HideAndSeek()(dict(img=pixels, img_path='x.png'))


@pytest.mark.parametrize('kind', ['list', 'array', 'clips'])
def test_all_frames_of_a_clip_hide_the_same_cells(kind):
    frames = np.stack([image(48, 64) + i for i in range(6)])
    data = dict(
        list=list(frames), array=frames, clips=frames.reshape(2, 3, 48, 64, 3)
    )[kind]
    before = frames.copy()
    transform = HideAndSeek([16], fill=MEAN, keep_mask=True, key='imgs')
    np.random.seed(0)
    results = transform(dict(imgs=data))
    after = results['imgs']
    assert type(after) is type(data)
    assert np.shape(after) == np.shape(data)
    mask = results['occlusion_mask'] == 1
    assert 0 < mask.mean() < 1
    for old, new in zip(before, np.reshape(after, frames.shape), strict=True):
        assert (new[mask] == (10, 21, 30)).all()
        assert np.array_equal(new[~mask], old[~mask])
    assert np.array_equal(frames, before)


@pytest.mark.parametrize(
    ('sample', 'message'),
    [
        (dict(img=image()), "no 'imgs', only .*'img'.*key='imgs'"),
        (dict(imgs=[]), 'one size and type, got no frame'),
        (dict(imgs=[image(), image(8, 8)]), r'one size.*\(8, 8, 3\)'),
        (dict(imgs=[Image.new('RGB', (9, 9))]), r'Image of .*np\.asarray'),
        (dict(imgs=[np.ones((9, 9, 3), 'f2')]), r'float16; .*astype'),
    ],
)
def test_what_is_no_clip_is_refused_with_the_remedy(sample, message):
    with pytest.raises(ValueError, match=message):
        HideAndSeek([4], fill=0, key='imgs')(sample)
