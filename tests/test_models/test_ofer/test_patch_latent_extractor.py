"""The extractor: masks, batches, checkpoints."""

import pytest
import torch
from mmengine.registry import DefaultScope
from tiny_mae import (
    DECODER_DIMS,
    DIMS,
    PATCH,
    PATCHES,
    SIZE,
    build_mae,
    mae_config,
)

from mmocc.models.ofer import PatchLatentExtractor
from mmocc.registry import MODELS


@pytest.fixture(scope='module')
def extractor():
    return PatchLatentExtractor(build_mae())


@pytest.fixture(scope='module')
def images():
    torch.manual_seed(1)
    return torch.randn(6, 3, SIZE, SIZE)


def masks(*hidden):
    """Return a mask for each number of hidden patches."""
    torch.manual_seed(2)
    out = torch.zeros(len(hidden), PATCHES, dtype=torch.bool)
    for row, number in zip(out, hidden, strict=True):
        row[torch.randperm(PATCHES)[:number]] = True
    return out


def close(one, two):
    return all(
        torch.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True)
    )


def test_tokens_have_the_widths_of_the_mae(extractor, images):
    latents = extractor(images, masks(0, 1, 4, 8, 15, 16))
    assert latents.encoder.shape == (6, PATCHES, DIMS)
    assert latents.decoder.shape == (6, 1 + PATCHES, DECODER_DIMS)
    assert latents.coarse.shape == images.shape
    assert extractor.encoder_dims == DIMS
    assert extractor.patch_size == PATCH
    assert extractor.grid(SIZE, SIZE) == (4, 4)


def test_an_image_does_not_depend_on_the_others_of_its_batch(
    extractor, images
):
    mask = masks(0, 1, 4, 8, 15, 16)
    together = extractor(images, mask)
    for i in range(6):
        alone = extractor(images[i : i + 1], mask[i : i + 1])
        assert close(alone, [t[i : i + 1] for t in together])


def test_it_equals_the_mae_with_the_same_patches(extractor, images):
    mae = extractor.mae
    torch.manual_seed(3)
    latent, mask, restore = mae.backbone(images)  # 4 of 16 visible, shuffled
    pixels = mae.neck(latent, restore)
    latents = extractor(images, mask)
    assert torch.allclose(
        latents.coarse, mae.head.unpatchify(pixels), atol=1e-5
    )
    shuffled = latents.encoder.gather(
        1, restore.argsort(dim=1)[:, :4, None].expand(-1, -1, DIMS)
    )
    assert torch.allclose(shuffled, latent[:, 1:], atol=1e-5)


def test_hiding_nothing_is_no_mask(extractor, images):
    nothing = torch.zeros(6, PATCHES, dtype=torch.bool)
    assert close(extractor(images), extractor(images, nothing))
    assert torch.equal(extractor.encode(images), extractor(images).encoder)


def test_with_all_hidden_every_image_gives_the_same(extractor, images):
    latents = extractor(images, torch.ones(6, PATCHES))
    assert (latents.encoder == 0).all()
    assert latents.coarse.isfinite().all() and latents.decoder.isfinite().all()
    assert torch.allclose(
        latents.coarse, latents.coarse[:1].expand(6, -1, -1, -1)
    )


def test_hidden_pixels_have_no_influence(extractor, images):
    mask = masks(3, 5, 7, 9, 11, 13)
    pixels = mask.view(6, 1, 4, 4).repeat_interleave(PATCH, 2)
    pixels = pixels.repeat_interleave(PATCH, 3)
    changed = torch.where(pixels, images + 5, images)
    assert close(extractor(images, mask), extractor(changed, mask))
    assert not close(extractor(images), extractor(changed))
    assert (extractor(images, mask).encoder[mask] == 0).all()
    assert (extractor(images, mask).encoder[~mask] != 0).any(-1).all()


def test_early_decoder_tokens_know_only_their_own_patch(images):
    extractor = PatchLatentExtractor(build_mae(), latent='embedded')
    mask = masks(3, 3, 3, 3, 3, 3)
    tokens = extractor(images, mask).decoder
    neck = extractor.mae.neck
    places = (neck.mask_token + neck.decoder_pos_embed).expand(6, -1, -1)
    assert torch.allclose(tokens[:, 1:][mask], places[:, 1:][mask])


def test_mixed_precision_is_close_and_the_picture_in_float32(
    extractor, images
):
    mask = masks(0, 1, 4, 8, 15, 16)
    with torch.autocast('cpu', torch.bfloat16):
        latents = extractor(images, mask)
    assert latents.coarse.dtype == torch.float32
    wanted = extractor(images, mask)
    for a, b in zip(latents, wanted, strict=True):
        assert torch.allclose(a.float(), b, atol=0.15)


def test_sizes_and_masks_that_do_not_fit_are_refused(extractor, images):
    with pytest.raises(ValueError, match=r'20 x 32.*resize'):
        extractor.encode(images[:, :, :20])
    with pytest.raises(ValueError, match='resize images to 32 x 32'):
        extractor.encode(images[:, :, :16])
    with pytest.raises(ValueError, match=r'\(6, 16\)'):
        extractor(images, torch.zeros(6, 9))


def test_normalised_patches_and_unknown_latents_are_refused():
    with (
        DefaultScope.overwrite_default_scope('mmpretrain'),
        pytest.raises(ValueError, match='norm_pix=False'),
    ):
        PatchLatentExtractor(mae_config(norm_pix=True))
    with pytest.raises(ValueError, match='latent'):
        PatchLatentExtractor(build_mae(), latent='last')


def from_checkpoint(path, **kwargs):
    cfg = dict(type='mmocc.PatchLatentExtractor', mae=mae_config())
    cfg['init_cfg'] = dict(type='Pretrained', checkpoint=str(path), **kwargs)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        extractor = MODELS.build(cfg)
        extractor.init_weights()
    return extractor


def test_it_loads_a_model_that_holds_it(tmp_path, extractor, images):
    wanted = extractor(images)
    whole = {f'extractor.{k}': v for k, v in extractor.state_dict().items()}
    torch.save(dict(state_dict=whole), tmp_path / 'whole.pth')
    other = from_checkpoint(tmp_path / 'whole.pth', prefix='extractor')
    assert close(other(images), wanted)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, extractor):
    weights = extractor.mae.state_dict()
    weights.pop('neck.mask_token')
    torch.save(dict(state_dict=weights), tmp_path / 'part.pth')
    with pytest.raises(ValueError, match='mask_token is missing'):
        from_checkpoint(tmp_path / 'part.pth')
    torch.save(dict(state_dict=dict(x=torch.zeros(1))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth holds no weights'):
        from_checkpoint(tmp_path / 'other.pth')
