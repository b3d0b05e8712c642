"""PasteOcclusion: pixels, masks and coverages that belong together."""

import numpy as np
import pytest
from cutout_folders import write_kinds

from mmocc.occlusion.patches import patch_coverage
from mmocc.registry import TRANSFORMS

FACE = np.array([(22, 24), (42, 24), (32, 34), (26, 44), (38, 44)], float)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_kinds(tmp_path_factory.mktemp('kinds'))


def build(occluders, **kwargs):
    cfg = dict(type='mmocc.PasteOcclusion', occluders=occluders, patch_size=8)
    return TRANSFORMS.build({**cfg, **kwargs})


def sample(index=0, **more):
    plain = dict(
        img=np.full((64, 64, 3), (90, 100, 110), np.uint8),
        landmarks=FACE,
        object_index=index,
        img_path='x.png',
    )
    return {**plain, **more}


def test_mask_and_coverage_belong_to_the_changed_pixels(folder):
    before = sample()
    image = before['img'].copy()
    out = build(folder, seed=0, feather=0, keep_clean=True)(before)
    mask = out['occlusion_mask']
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 1}
    assert out['patch_coverage'].shape == (8, 8)
    assert (out['patch_coverage'] == patch_coverage(mask, 8)).all()
    changed = (out['img'] != image).any(axis=-1)
    assert changed[mask == 1].all()
    # outside of the mask, blended pixels change by less than half
    step = np.abs(out['img'].astype(int) - image)[mask == 0].max()
    assert step < 0.5 * 130 + 1
    assert (out['clean_img'] == image).all()
    assert (before['clean_img'] == (90, 100, 110)).all()  # not in place


def test_a_face_mask_hides_mouth_and_nose_but_no_eye(folder):
    transform = build(dict(mask=str(folder / 'mask')), feather=0)
    mask = transform(sample())['occlusion_mask']
    assert mask[36, 32] and mask[44, 26] and mask[44, 38]
    assert not mask[24, 22] and not mask[24, 42]
    assert mask[:, ::-1] == pytest.approx(mask, abs=1)


@pytest.mark.parametrize('turn', [-8, 8])
def test_a_mirrored_face_wears_the_mirrored_mask(folder, turn):
    transform = build(dict(mask=str(folder / 'mask')), seed=0)
    before = sample()
    before['landmarks'] = FACE - (8, 0)  # not in the middle
    before['landmarks'][2, 0] += turn
    plain = transform(dict(before))['occlusion_mask']
    before.update(flip=True, flip_direction='horizontal')
    flipped = transform(before)['occlusion_mask']
    assert (plain[:, ::-1] == flipped).mean() > 0.99
    assert (plain == flipped).mean() < 0.9


def test_points_follow_resize_or_are_those_of_all_images(folder):
    masks = dict(mask=str(folder / 'mask'))
    transform = build(masks)
    wanted = transform(sample())['occlusion_mask']
    small = sample(scale_factor=(2.0, 2.0), landmarks=FACE / 2)
    assert (transform(small)['occlusion_mask'] == wanted).all()
    before = sample(landmarks=None)
    with pytest.raises(ValueError, match=r'x.png: .*five points'):
        transform(dict(before))
    transform = build(masks, landmarks=(FACE / 64).tolist())
    assert (transform(before)['occlusion_mask'] == wanted).all()


def test_with_a_seed_only_the_sample_decides(folder):
    cups = dict(cup=str(folder / 'cup'))
    one, two = build(cups, seed=3), build(cups, seed=3)
    two(sample(7))  # order does not matter
    np.random.seed(5)
    first = [one(sample(i)) for i in range(6)]
    again = [two(sample(i)) for i in reversed(range(6))][::-1]
    for a, b in zip(first, again, strict=True):
        assert (a['img'] == b['img']).all()
    assert len({a['img'].tobytes() for a in first}) > 4
    other = build(cups, seed=4)(sample(0))
    assert not (other['img'] == first[0]['img']).all()


def test_without_a_seed_numpys_state_decides(folder):
    transform = build(dict(cup=str(folder / 'cup')))
    np.random.seed(1)
    first, second = (transform(sample())['img'] for _ in range(2))
    np.random.seed(1)
    assert (transform(sample())['img'] == first).all()
    assert not (first == second).all()


def test_prob_leaves_images_clean(folder):
    transform = build(folder, prob=0.5, seed=0)
    outs = [transform(sample(i)) for i in range(60)]
    kinds = [out['occlusion_kind'] for out in outs]
    assert set(kinds) == {'', 'cup', 'mask'}
    assert 18 < kinds.count('') < 42
    for out in outs:
        clean = out['occlusion_kind'] == ''
        assert (out['occlusion_mask'].any() == 0) == clean
        assert (out['patch_coverage'].max() == 0) == clean
        assert (out['img'] == (90, 100, 110)).all() == clean


def test_on_grey_pictures_cutouts_are_grey(folder):
    cups = build(dict(cup=str(folder / 'cup')), seed=0)
    assert np.ptp(cups(sample())['img'], axis=-1).max() > 100
    grey = sample(img=np.full((64, 64, 3), 100, np.uint8))
    out = cups(grey)
    assert out['occlusion_mask'].any()
    assert (out['img'] != 100).any()
    assert np.ptp(out['img'], axis=-1).max() == 0


def test_more_objects_hide_more(folder):
    cups = dict(cup=str(folder / 'cup'))
    one, many = build(cups, seed=0), build(cups, seed=0, number=(4, 4))
    shares = [
        np.mean([t(sample(i))['occlusion_mask'].mean() for i in range(8)])
        for t in (one, many)
    ]
    assert shares[1] > 1.8 * shares[0]


def test_images_that_do_not_fit_are_named(folder):
    before = sample(img_path='a.png')
    transform = build(folder, patch_size=10)
    with pytest.raises(ValueError, match=r'a.png.*60 x 60'):
        transform(dict(before))
    with pytest.raises(ValueError, match=r'a.png.*uint8'):
        build(folder)(dict(before, img=before['img'].astype(np.float32)))


@pytest.mark.parametrize(
    'options, word',
    [
        (dict(prob=2), 'prob'),
        (dict(number=(2, 1)), 'number'),
        (dict(length=(0, 1)), 'length'),
        (dict(landmarks=[(0, 0)]), 'five points'),
    ],
)
def test_options_out_of_range_are_refused(folder, options, word):
    with pytest.raises(ValueError, match=word):
        build(folder, **options)


def test_a_number_is_both_ends_of_a_range(folder):
    one = build(folder, number=2, length=0.5, angle=10)
    assert (one.number, one.length, one.angle) == (
        (2, 2),
        (0.5, 0.5),
        (10, 10),
    )
    with pytest.raises(ValueError, match='angle must be a number or'):
        build(folder, angle=(1, 2, 3))


def test_grey_and_alpha_keep_their_form(folder):
    cups = build(dict(cup=str(folder / 'cup')), seed=0)
    wanted = cups(sample())
    alpha = np.arange(4096).reshape(64, 64, 1).astype(np.uint8)
    out = cups(sample(img=np.dstack([sample()['img'], alpha])))
    assert np.array_equal(out['img'][..., :3], wanted['img'])
    assert np.array_equal(out['img'][..., 3:], alpha)
    plain = np.full((64, 64), 100, np.uint8)
    colour = cups(sample(img=np.dstack([plain] * 3)))
    for grey in (plain, plain[..., None]):
        out = cups(sample(img=grey))
        assert out['img'].shape == grey.shape
        assert np.array_equal(out['img'].squeeze(), colour['img'][..., 0])
        assert np.array_equal(out['occlusion_mask'], wanted['occlusion_mask'])


def test_points_that_a_crop_left_behind_are_refused(folder):
    transform = build(dict(mask=str(folder / 'mask')))
    transform(sample(ori_shape=(64, 64)))
    transform(sample(ori_shape=(32, 32), scale_factor=(2.0, 2.0)))
    for fields in (
        dict(ori_shape=(80, 80)),
        dict(ori_shape=(64, 64), scale_factor=(2.0, 2.0)),
    ):
        with pytest.raises(ValueError, match=r'x\.png: .*do not follow crops'):
            transform(sample(**fields))


def test_a_built_in_bank_is_pasted_without_a_folder_or_points():
    transform = build('builtin:test', seed=0)
    plain = [sample(index, landmarks=None) for index in range(12)]
    kinds = {transform(one)['occlusion_kind'] for one in plain}
    assert kinds == {'hand', 'net', 'ring'}
    hidden = build(dict(thing='builtin:train'))(sample(landmarks=None))
    assert hidden['occlusion_kind'] == 'thing'
    assert hidden['occlusion_mask'].any()
