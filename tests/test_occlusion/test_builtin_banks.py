"""Textures and cut-outs that mmocc draws itself."""

import numpy as np
import pytest
import torch

from mmocc.occlusion import KINDS, OccluderBank, occlude_object
from mmocc.occlusion.banks import list_images, load_cutouts, load_textures
from mmocc.occlusion.builtin_cutouts import CUTOUTS, draw_cutouts
from mmocc.occlusion.builtin_textures import (
    SPLITS,
    TEXTURES,
    draw_textures,
)


@pytest.mark.parametrize('split', SPLITS)
def test_textures_are_repeatable_and_each_has_contrast(split):
    sheets = draw_textures(split, 6, 64)
    assert sheets.shape == (6, 64, 64, 3)
    assert sheets.dtype == np.uint8
    assert (sheets == draw_textures(split, 6, 64)).all()
    assert (sheets[:2] == draw_textures(split, 2, 64)).all()
    assert (sheets != draw_textures(split, 6, 64, seed=1)).any((1, 2, 3)).all()
    assert (sheets.std(axis=(1, 2)).max(axis=-1) > 5).all()
    assert draw_textures(split, 1, 1).shape == (1, 1, 1, 3)


def test_a_texture_is_the_same_picture_at_another_size():
    small, large = (
        draw_textures('train', 4, size).astype(float) for size in (64, 512)
    )
    large = large.reshape(4, 64, 8, 64, 8, 3).mean(axis=(2, 4))
    for one, other in zip(small, large, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


@pytest.mark.parametrize('split', SPLITS)
def test_cutouts_have_a_silhouette_with_soft_rims_that_fills_them(split):
    cutouts = draw_cutouts(split, 6, 64)
    again = draw_cutouts(split, 7, 64)
    for cutout, other in zip(cutouts, again[:6], strict=True):
        assert (cutout == other).all()
        assert max(cutout.shape[:2]) == 64
        assert cutout.shape[2] == 4
        alpha = cutout[..., 3]
        assert 0.05 < (alpha >= 128).mean() < 1
        assert ((alpha > 0) & (alpha < 255)).any()
        for rim in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
            assert rim.any()


def test_no_generator_serves_both_training_and_test():
    for banks in (TEXTURES, CUTOUTS):
        assert not set(banks['train']) & set(banks['test'])
    with pytest.raises(ValueError, match=r"'val'.*'train', 'test'"):
        draw_textures('val')
    with pytest.raises(ValueError, match=r"'val'.*'train', 'test'"):
        draw_cutouts('val')


@pytest.mark.parametrize('split', SPLITS)
def test_all_kinds_run_at_all_levels_without_a_folder(split):
    name = f'builtin:{split}'
    bank = OccluderBank(KINDS, name, [name], texture_size=32)
    image = torch.full((3, 48, 48), 77, dtype=torch.uint8)
    region = torch.ones(48, 48, dtype=torch.bool)
    for kind in KINDS:
        for shares in ((0.2, 0.4), (0.6, 0.8)):
            generator = torch.Generator().manual_seed(3)
            occluded, mask = occlude_object(
                image, region, kind, shares, bank, generator
            )
            assert shares[0] <= mask.float().mean() < shares[1]
            assert (occluded != image).any()


def test_drawn_banks_may_be_mixed_with_folders(occluder_folders):
    textures = [occluder_folders['texture_bank'], 'builtin:train']
    mixed = load_textures(textures, 16)
    assert (mixed[-32:] == load_textures('builtin:train', 16)).all()
    assert (mixed[:-32] == load_textures(textures[0], 16)).all()
    assert len(mixed) > 32
    assert len(load_cutouts('builtin:test').sheets) == 32


def test_an_unknown_or_missing_bank_says_which_there_are():
    with pytest.raises(ValueError, match=r'builtin:tset.*builtin:test'):
        OccluderBank(['texture'], 'builtin:tset')
    with pytest.raises(ValueError, match='builtin:test'):
        OccluderBank(['object'])
    with pytest.raises(ValueError, match='is drawn and has no files'):
        list_images('builtin:train')
