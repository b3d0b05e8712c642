import copy

import numpy as np
import pytest

from mmocc.occlusion import KINDS, LEVELS, UnreachableLevelError
from mmocc.registry import TRANSFORMS


def build(**kwargs):
    return TRANSFORMS.build(dict(type='mmocc.Occlude', **kwargs))


def sample(idx=0, size=(40, 50), **fields):
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    return dict(img=image, sample_idx=idx, img_path='a.jpg', **fields)


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
    # the report goes on after a box without width, which Tiny ImageNet has
    for box, error, message in (
        ([0, 0, np.nan, 5], ValueError, 'gt_bboxes has NaN'),
        ([60, 60, 70, 70], ValueError, 'no box .* 50x40'),
        ([5, 5, 5, 9], UnreachableLevelError, 'no box of'),
        ([1, 1, 2, 2], UnreachableLevelError, 'an object of 1 pixels'),
    ):
        with pytest.raises(error, match=rf'a\.jpg: {message}'):
            transform(sample(gt_bboxes=np.array([box], float)))
    results = sample()
    results['img'] = results['img'].astype(np.float32)
    with pytest.raises(ValueError, match=r'a\.jpg.*uint8'):
        transform(results)
