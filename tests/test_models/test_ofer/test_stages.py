import pytest
import tiny_ofer
import torch

from mmocc.models.ofer.stages import (
    StageOutputs,
    mirror_outputs,
    mirror_patches,
)
from mmocc.occlusion.patches import upsample_patch_mask


@pytest.fixture(scope='module')
def model():
    return tiny_ofer.build().eval()


@pytest.fixture(scope='module')
def images(model):
    return tiny_ofer.normalised(model, tiny_ofer.photos(4))


def test_faces_are_redrawn_where_patches_are_occluded_and_only_there(
    model, images
):
    out = model.stages(images)
    distances, mask, grid = model.stages.detector.detect(images)
    assert torch.equal(out.mask, mask)
    assert out.grid == grid == (4, 4)
    torch.testing.assert_close(out.distances, distances)
    assert 0 < mask.float().mean() < 1
    hole = upsample_patch_mask(mask, grid, (32, 32)).bool()
    hole = hole.expand_as(images)
    assert torch.equal(out.faces[~hole], images[~hole].half().float())
    coarse = model.stages.extractor(images, mask).coarse
    torch.testing.assert_close(
        out.faces[hole], coarse[hole], rtol=1e-3, atol=1e-3
    )


def test_latents_are_those_of_the_masked_photo(model, images):
    out = model.stages(images)
    masked = model.stages.extractor(images, out.mask).decoder
    torch.testing.assert_close(out.latents, masked, rtol=1e-3, atol=1e-3)
    whole = model.stages.extractor(images).decoder
    assert not torch.allclose(out.latents, whole, rtol=1e-3, atol=1e-3)


def test_latents_may_be_those_of_the_redrawn_face(images):
    model = tiny_ofer.build(latents='encoder')
    out = model.stages(images)
    expected = model.stages.extractor.encode(out.faces)
    assert out.latents.shape == (4, 16, 32)
    torch.testing.assert_close(out.latents, expected, rtol=2e-3, atol=2e-3)


def test_without_a_reconstructor_face_and_latents_are_the_photos(images):
    model = tiny_ofer.build(reconstructor=None)
    out = model.stages(images)
    assert out.mask.any()
    assert torch.equal(out.faces, images.half().float())
    whole = model.stages.extractor(images).decoder
    torch.testing.assert_close(out.latents, whole, rtol=1e-3, atol=1e-3)


def test_a_photo_is_redrawn_the_same_alone_and_in_a_batch(model, images):
    whole = model.stages(images)
    alone = model.stages(images[2:3])
    for name in ('faces', 'latents', 'distances'):
        torch.testing.assert_close(
            getattr(alone, name)[0], getattr(whole, name)[2], rtol=0, atol=2e-3
        )


@pytest.mark.parametrize('radius', [1e-9, 1e9])
def test_all_or_nothing_occluded_gives_finite_results(images, radius):
    model = tiny_ofer.build().eval()
    model.stages.detector.radius.fill_(radius)
    out = model.stages(images)
    assert out.mask.all() == (radius < 1)
    assert out.faces.isfinite().all()
    assert out.latents.isfinite().all()
    assert model(images).isfinite().all()
    if radius > 1:
        assert torch.equal(out.faces, images.half().float())


def test_stages_never_train(model, images):
    model.train()
    assert model.backbone.training
    assert not any(m.training for m in model.stages.modules())
    assert not any(p.requires_grad for p in model.stages.parameters())
    assert not model.stages(images.requires_grad_()).faces.requires_grad
    images.requires_grad_(False)


def test_checkpoint_holds_the_shared_extractor_once(model):
    keys = [k for k in model.state_dict() if k.endswith('cls_token')]
    assert keys == ['stages.extractor.mae.backbone.cls_token']
    assert model.stages.detector.extractor is model.stages.extractor
    assert model.stages.reconstructor.extractor is model.stages.extractor


def test_an_image_that_does_not_fit_the_patches_is_refused(model):
    with pytest.raises(ValueError, match='36'):
        model(torch.zeros(2, 3, 36, 32))


def test_a_detector_of_other_patches_is_refused(model, images):
    other = tiny_ofer.build(detector=None, reconstructor=None)
    other.stages.detector = model.stages.detector
    other.stages.extractor.grid = lambda h, w: (8, 8)
    with pytest.raises(ValueError, match=r'\(4, 4\) patches, .* \(8, 8\)'):
        other.stages(images)


def test_a_reconstructor_without_a_detector_is_refused():
    with pytest.raises(ValueError, match='needs a detector'):
        tiny_ofer.build(detector=None)
    with pytest.raises(ValueError, match="latents 'both'"):
        tiny_ofer.build(latents='both')


@pytest.mark.parametrize('extra', [0, 1])
def test_mirrored_patches_swap_columns_and_keep_the_class_token(extra):
    values = torch.arange(6 + extra)[None] - extra  # 0 1 2 / 3 4 5
    mirrored = mirror_patches(values, (2, 3))[0].tolist()
    assert mirrored == [*[-1][:extra], 2, 1, 0, 5, 4, 3]
    with pytest.raises(ValueError, match='do not fit 3 x 3'):
        mirror_patches(values, (3, 3))


def test_mirroring_moves_faces_latents_and_mask_together():
    faces = torch.rand(2, 3, 4, 6)
    # latent, mask and distance of a patch: its pixels' mean, as it were
    patches = faces.mean(1).unflatten(2, (3, 2)).unflatten(1, (2, 2))
    values = patches.mean(dim=(2, 4)).flatten(1)
    out = StageOutputs(faces, values[..., None], values > 0.5, values, (2, 3))
    which = torch.tensor([False, True])
    made = mirror_outputs(out, which)
    assert torch.equal(made.faces[0], faces[0])
    assert torch.equal(made.faces[1], faces[1].flip(-1))
    again = made.faces.mean(1).unflatten(2, (3, 2)).unflatten(1, (2, 2))
    again = again.mean(dim=(2, 4)).flatten(1)
    torch.testing.assert_close(made.latents[..., 0], again)
    torch.testing.assert_close(made.distances, again)
    assert torch.equal(made.mask, again > 0.5)
    assert torch.equal(out.faces, faces)  # not changed
