import numpy as np
import pytest

from mmocc.datasets.transforms import DrawPatchMask


def photo(name='a.png', side=64):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    return dict(img=pixels, img_path=name)


def test_the_face_stays_and_a_share_of_its_patches_is_chosen():
    results = DrawPatchMask(patch_size=8, share=(0.25, 0.25))(photo())
    assert np.array_equal(results['img'], photo()['img'])
    assert np.array_equal(results['clean_img'], photo()['img'])
    mask = results['patch_coverage']
    assert (mask.shape, mask.dtype) == ((8, 8), np.float32)
    assert mask.sum() == 16
    assert set(np.unique(mask)) == {0, 1}


def test_the_choice_depends_on_seed_and_image_only():
    draw = DrawPatchMask(patch_size=8)
    first, other = draw(photo())['patch_coverage'], photo('b.png')
    assert np.array_equal(draw(photo())['patch_coverage'], first)
    assert not np.array_equal(draw(other)['patch_coverage'], first)
    seeded = DrawPatchMask(patch_size=8, seed=1)(photo())
    assert not np.array_equal(seeded['patch_coverage'], first)


def test_wrong_options_and_sizes_are_named():
    with pytest.raises(ValueError, match=r'share=\(0.5, 0.1\)'):
        DrawPatchMask(share=(0.5, 0.1))
    with pytest.raises(ValueError, match=r'a.png: an image of 60 x 60'):
        DrawPatchMask(patch_size=8)(photo(side=60))
