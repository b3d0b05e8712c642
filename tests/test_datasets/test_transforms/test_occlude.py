import copy

import numpy as np
import pytest

from mmocc.occlusion import (
    KINDS,
    LEVELS,
    EmptyRegionError,
    OccluderBank,
    UnreachableLevelError,
)
from mmocc.registry import TRANSFORMS


def build(**kwargs):
    return TRANSFORMS.build(dict(type='mmocc.Occlude', **kwargs))


def sample(idx=0, size=(40, 50), **fields):
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    return dict(img=image, object_index=idx, img_path='a.jpg', **fields)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('level', ['L1', 'L2', 'L3'])
def test_the_stored_mask_is_the_share_asked_for(occluder_folders, kind, level):
    transform = build(kind=kind, level=level, seed=0, **occluder_folders)
    low, high = LEVELS[level]
    for idx in range(10):
        before = sample(idx)
        copied = before['img'].copy()
        results = transform(dict(before))
        mask = results['occlusion_mask']
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        assert low <= mask.mean() < high
        assert results['occlusion_share'] == pytest.approx(mask.mean())
        assert np.array_equal(before['img'], copied)
        assert not np.array_equal(results['img'], copied)


def test_the_mask_is_the_object_before_the_box_before_the_image():
    seg = np.zeros((40, 50), np.uint8)
    seg[5:15, 5:15] = 1
    boxes = np.array([[20, 20, 40, 30]], np.float32)
    transform = build(kind='white', level='L2', seed=0)
    results = transform(sample(gt_seg_map=seg, gt_bboxes=boxes))
    assert 0.4 <= results['occlusion_mask'][seg == 1].mean() < 0.6
    results = transform(sample(gt_bboxes=boxes))
    assert 0.4 <= results['occlusion_mask'][20:30, 20:40].mean() < 0.6
    forced = build(kind='white', level='L2', seed=0, region='image')
    results = forced(sample(gt_seg_map=seg, gt_bboxes=boxes))
    assert 0.4 <= results['occlusion_mask'].mean() < 0.6
    with pytest.raises(ValueError, match='has no gt_seg_map'):
        build(kind='white', region='mask')(sample(gt_bboxes=boxes))


def test_an_evaluation_occlusion_depends_on_seed_and_sample_only():
    first = build(kind='noise', level='L2', seed=7)
    for _ in range(3):
        first(sample(3))  # earlier draws must not matter
    second = copy.deepcopy(first)
    a, b = first(sample(5))['img'], second(sample(5))['img']
    assert np.array_equal(a, b)
    assert not np.array_equal(a, second(sample(6))['img'])
    other = build(kind='noise', level='L2', seed=8)
    assert not np.array_equal(a, other(sample(5))['img'])
    assert repr(second) == (
        "Occlude(kind=['noise'], level=['L2'], texture_bank=None, "
        "object_bank=None, texture_size=256, region='auto', seed=7)"
    )


def test_a_choice_of_kinds_does_not_change_a_kinds_occlusion():
    one = build(kind='white', level='L1', seed=0)
    both = build(kind=['white', 'noise'], level=['L1', 'L2'], seed=0)
    same = 0
    for idx in range(40):
        results = both(sample(idx))
        low = results['occlusion_share'] < 0.4
        alone = one(sample(idx))['img']
        same += low and np.array_equal(results['img'], alone)
    assert same >= 3  # where white at L1 was drawn, it is the same


def test_training_draws_follow_numpys_global_seed():
    transform = build(kind=['white', 'noise'])
    images = []
    for _ in range(2):
        np.random.seed(3)
        images.append([transform(sample())['img'] for _ in range(2)])
    assert np.array_equal(images[0][0], images[1][0])
    assert not np.array_equal(images[0][0], images[0][1])


def test_grey_images_stay_grey():
    grey = np.zeros((30, 30), np.uint8)
    results = build(kind='white', level='L2', seed=0)(dict(img=grey))
    assert results['img'].shape == (30, 30)
    assert (results['img'] == 255 * results['occlusion_mask']).all()


def test_bad_arguments_fail_at_construction():
    for arguments, message in (
        (dict(kind='glass'), "unknown occluder kind 'glass'"),
        (dict(kind='white', level='L9'), "unknown occlusion level 'L9'"),
        (dict(kind='white', region='bbox'), "unknown region 'bbox'"),
        (dict(kind='texture'), 'needs texture_bank'),
    ):
        with pytest.raises(ValueError, match=message):
            build(**arguments)


def test_a_bad_sample_is_refused_with_the_images_name():
    transform = build(kind='white', level='L1', seed=0)
    with pytest.raises(ValueError, match=r'a\.jpg: gt_seg_map is \(3, 3\)'):
        transform(sample(gt_seg_map=np.ones((3, 3), np.uint8)))
    for box, error, message in (
        ([0, 0, np.nan, 5], ValueError, 'gt_bboxes has NaN'),
        ([60, 60, 70, 70], EmptyRegionError, 'no box .* 50x40'),
        ([5, 5, 5, 9], EmptyRegionError, 'the box .* no area'),
        ([9, 5, 5, 9], EmptyRegionError, 'the box .* is inverted'),
        ([5, 5, 5.3, 9], UnreachableLevelError, 'no box of'),
        ([1, 1, 2, 2], UnreachableLevelError, 'an object of 1 pixels'),
    ):
        with pytest.raises(error, match=rf'a\.jpg: {message}'):
            transform(sample(gt_bboxes=np.array([box], float)))
    results = sample()
    results['img'] = results['img'].astype(np.float32)
    with pytest.raises(ValueError, match=r'a\.jpg.*uint8'):
        transform(results)


def test_masks_mark_the_object_with_1_or_with_255():
    transform = build(kind='white', level='L2', seed=0)
    ones = np.zeros((40, 50), np.uint8)
    ones[5:25, 5:35] = 1
    wanted = transform(sample(gt_seg_map=ones))
    assert 0.4 <= wanted['occlusion_mask'][ones == 1].mean() < 0.6
    border = ones.copy()
    border[30:] = 255  # with ones, 255 is what mm leaves out
    for mask in (255 * ones, ones.astype(bool), ones[..., None], border):
        results = transform(sample(gt_seg_map=mask))
        assert np.array_equal(results['img'], wanted['img'])
        assert results['occlusion_share'] == wanted['occlusion_share']
    for mask in (7 * ones, 2 * ones + 1, ones * 254):
        values = ', '.join(map(str, np.unique(mask)))
        with pytest.raises(ValueError, match=rf'a\.jpg: .* values {values};'):
            transform(sample(gt_seg_map=mask))


def test_an_object_without_pixels_is_not_too_small():
    transform = build(kind='white', level='L2', seed=0)
    empty = dict(gt_seg_map=np.zeros((40, 50), np.uint8))
    with pytest.raises(EmptyRegionError, match=r'a\.jpg: .* is empty'):
        transform(sample(**empty))
    with pytest.raises(EmptyRegionError, match=r'a\.jpg: .* has no box'):
        transform(sample(gt_bboxes=np.zeros((0, 4))))
    boxes = np.array([[5, 5, 20, 20], [30, 5, 20, 20]], float)
    with pytest.raises(EmptyRegionError, match=r'\[30.0, 5.0, .* inverted'):
        transform(sample(gt_bboxes=boxes))
    assert not issubclass(EmptyRegionError, UnreachableLevelError)


def test_boxes_that_a_resize_left_behind_are_refused():
    transform = build(kind='white', level='L2', seed=0)
    boxes = np.array([[5, 5, 20, 20]], float)
    edge = dict(gt_bboxes=boxes, scale_factor=(0.8, 0.8), scale=(50, 40))
    with pytest.raises(ValueError, match=r'a\.jpg: .* resized .*ResizeEdge'):
        transform(sample(**edge))
    transform(sample(**edge, keep_ratio=True))  # Resize, which moves boxes
    transform(sample(**dict(edge, scale_factor=(1.0, 1.0))))
    whole = build(kind='white', level='L2', seed=0, region='image')
    assert whole(sample(**edge))['occlusion_region'] == 'image'


@pytest.mark.parametrize('level', [0.5, [0.5, 0.5], 0.03])
def test_a_single_share_is_met_within_a_pixel(level):
    transform = build(kind='noise', level=level, seed=0)
    share = np.ravel(level)[0]
    for idx, size in enumerate([(40, 50), (31, 17), (7, 9)]):
        mask = transform(sample(idx, size))['occlusion_mask']
        assert abs(mask.sum() - share * mask.size) <= 0.5
    assert transform.shares == [(share, share)]


def test_levels_and_kinds_are_one_or_several():
    assert OccluderBank('noise').kinds == ('noise',)
    shares = build(kind='white', level=['L1', 0.5, (0.1, 0.3)]).shares
    assert shares == [(0.2, 0.4), (0.5, 0.5), (0.1, 0.3)]
    assert build(kind='white', level=(0.1, 0.3)).shares == [(0.1, 0.3)]
    for level in (1.5, (0.3, 0.1), (0.1, 0.2, 0.3), float('nan')):
        with pytest.raises(ValueError, match='one share in'):
            build(kind='white', level=level)


@pytest.mark.parametrize('kind', ['noise', 'object'])
def test_grey_and_alpha_are_kept(kind, occluder_folders):
    transform = build(kind=kind, level='L2', seed=0, **occluder_folders)
    colour = sample()['img']
    wanted = transform(sample())
    hidden = wanted['occlusion_mask'] == 1
    alpha = np.arange(2000).reshape(40, 50, 1).astype(np.uint8)
    results = transform(dict(sample(), img=np.dstack([colour, alpha])))
    assert np.array_equal(results['img'][..., :3], wanted['img'])
    assert np.array_equal(results['img'][..., 3:], alpha)
    for grey in (colour[..., 0], colour[..., :1]):
        results = transform(dict(sample(), img=grey))
        assert results['img'].shape == grey.shape
        assert np.array_equal(results['occlusion_mask'] == 1, hidden)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((40, 50, 2), np.uint8),
        np.zeros((40, 50, 5), np.uint8),
        np.zeros((2, 40, 50, 3), np.uint8),
        np.zeros((40, 50, 3), np.uint16),
        np.zeros((40, 50, 3), np.float32),
        np.zeros((0, 50, 3), np.uint8),
        'no image',
    ],
    ids=lambda image: str(getattr(image, 'shape', 'text')),
)
@pytest.mark.parametrize('name', ['Occlude', 'OccludeObjects', 'Paste'])
def test_other_forms_get_one_error_with_the_images_name(
    name, image, occluder_folders
):
    if name == 'Paste':
        folder = dict(a=occluder_folders['object_bank'])
        cfg = dict(type='mmocc.PasteOcclusion', occluders=folder)
    else:
        cfg = dict(type=f'mmocc.{name}', kind='white')
    if name == 'OccludeObjects' and getattr(image, 'dtype', '') == np.float32:
        image = image + 0.5  # whole numbers are taken
    with pytest.raises(ValueError, match=r'a\.jpg: mmocc\..* takes images'):
        TRANSFORMS.build(cfg)(dict(sample(), img=image, instances=[]))
