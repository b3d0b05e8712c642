import json

import pytest
import tiny_ofer
import torch

from mmocc.models import folder_cache
from mmocc.models.ofer.frozen_stages import (
    StageCache,
    StageOutputs,
    mirror_outputs,
    mirror_patches,
    stage_key,
)
from mmocc.occlusion.patches import upsample_patch_mask


@pytest.fixture(scope='module')
def model():
    return tiny_ofer.build().eval()


@pytest.fixture(scope='module')
def images(model):
    return tiny_ofer.normalised(model, tiny_ofer.photos(4))


def test_only_occluded_patches_are_reconstructed(model, images):
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


def test_latents_are_those_of_the_masked_photo_or_the_face(model, images):
    out = model.stages(images)
    masked = model.stages.extractor(images, out.mask).decoder
    torch.testing.assert_close(out.latents, masked, rtol=1e-3, atol=1e-3)
    whole = model.stages.extractor(images).decoder
    assert not torch.allclose(out.latents, whole, rtol=1e-3, atol=1e-3)
    model = tiny_ofer.build(latents='encoder')
    out = model.stages(images)
    expected = model.stages.extractor.encode(out.faces)
    assert out.latents.shape == (4, 16, 32)
    torch.testing.assert_close(out.latents, expected, rtol=2e-3, atol=2e-3)


def test_without_a_reconstructor_the_photo_stays(images):
    model = tiny_ofer.build(reconstructor=None)
    out = model.stages(images)
    assert out.mask.any()
    assert torch.equal(out.faces, images.half().float())
    whole = model.stages.extractor(images).decoder
    torch.testing.assert_close(out.latents, whole, rtol=1e-3, atol=1e-3)


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
    # the checkpoint holds the shared extractor once
    keys = [k for k in model.state_dict() if k.endswith('cls_token')]
    assert keys == ['stages.extractor.mae.backbone.cls_token']


def test_images_or_detectors_of_other_patches_are_refused(model, images):
    with pytest.raises(ValueError, match='36'):
        model(torch.zeros(2, 3, 36, 32))
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
def test_mirrored_patches_swap_columns_but_not_the_class_token(extra):
    values = torch.arange(6 + extra)[None] - extra  # 0 1 2 / 3 4 5
    mirrored = mirror_patches(values, (2, 3))[0].tolist()
    assert mirrored == [*[-1][:extra], 2, 1, 0, 5, 4, 3]
    with pytest.raises(ValueError, match='do not fit a grid of 3 x 3'):
        mirror_patches(values, (3, 3))


def test_mirroring_moves_faces_latents_and_mask_together():
    faces = torch.rand(2, 3, 4, 6)
    # latent, mask and distance of a patch: the mean of its pixels
    patches = faces.mean(1).unflatten(2, (3, 2)).unflatten(1, (2, 2))
    values = patches.mean(dim=(2, 4)).flatten(1)
    out = StageOutputs(faces, values[..., None], values > 0.5, values, (2, 3))
    which = torch.tensor([False, True])
    new = mirror_outputs(out, which)
    assert torch.equal(new.faces[0], faces[0])
    assert torch.equal(new.faces[1], faces[1].flip(-1))
    patches = new.faces.mean(1).unflatten(2, (3, 2)).unflatten(1, (2, 2))
    values = patches.mean(dim=(2, 4)).flatten(1)
    torch.testing.assert_close(new.latents[..., 0], values)
    torch.testing.assert_close(new.distances, values)
    assert torch.equal(new.mask, values > 0.5)
    assert torch.equal(out.faces, faces)  # not changed


# -- the cache ---------------------------------------------------------------


class Counter:
    """Counts the images that stages are run on."""

    def __init__(self, model):
        self.images = 0
        model.stages.register_forward_hook(self.count)

    def count(self, module, inputs, outputs):
        self.images += len(inputs[0])


@pytest.fixture
def cached(tmp_path):
    model = tiny_ofer.build(cache=str(tmp_path / 'cache')).eval()
    return model, Counter(model)


def same(one, two):
    for name in ('faces', 'latents', 'distances'):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name), rtol=0, atol=2e-3
        )
    assert torch.equal(one.mask, two.mask)
    assert one.grid == two.grid


def test_the_second_time_nothing_is_computed(cached, images, tmp_path):
    model, counter = cached
    first = model.run_stages(images)
    assert counter.images == 4
    second = model.run_stages(images)
    assert counter.images == 4
    for one, two in zip(first[:4], second[:4], strict=True):
        assert torch.equal(one, two)
        assert one.dtype == two.dtype
    same(second, tiny_ofer.build().eval().run_stages(images))
    assert not list(tmp_path.rglob('*.part'))
    key = json.loads((tmp_path / 'cache/key.json').read_text())
    parts = {'version', 'extractor', 'detector', 'reconstructor', 'latents'}
    assert key.keys() == parts


def test_the_cache_does_not_depend_on_order_and_batch(cached, images):
    model, counter = cached
    first = model.run_stages(images)
    new = tiny_ofer.normalised(model, tiny_ofer.photos(1, seed=9))
    more = torch.cat([images[[3, 1]], new, images[:1]])
    second = model.run_stages(more)
    assert counter.images == 5  # the new one
    for place, old in ((0, 3), (1, 1), (3, 0)):
        assert torch.equal(second.latents[place], first.latents[old])
        assert torch.equal(second.faces[place], first.faces[old])


def test_a_cache_of_other_stages_is_refused(cached, images, tmp_path):
    model, _ = cached
    model.run_stages(images)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    for name in ('extractor', 'detector'):
        stage = getattr(model.stages, name)
        message = f'settings of {name} differ.*delete'
        with torch.no_grad():
            [*stage.parameters()][-1].mul_(1.5)
        with pytest.raises(ValueError, match=message):
            model.run_stages(images)
        with pytest.raises(ValueError, match=message):
            StageCache(tmp_path / 'cache')(model.stages, images)
        model.load_state_dict(state)
    model.stages.detector.radius.mul_(2)
    with pytest.raises(ValueError, match='settings of detector differ'):
        model.run_stages(images)
    other = tiny_ofer.build(
        latents='encoder', reconstructor=None, cache=str(tmp_path / 'cache')
    )
    with pytest.raises(ValueError, match='of reconstructor, latents differ'):
        other.run_stages(images)


def test_the_source_of_the_weights_is_not_in_the_key(cached):
    model, _ = cached
    key = stage_key(model.stages)
    model.stages.settings['detector']['init_cfg'] = dict(
        type='Pretrained', checkpoint='elsewhere.pth'
    )
    assert stage_key(model.stages) == key


def test_training_from_the_cache_gives_the_same_losses(tmp_path):
    photos, samples = tiny_ofer.photos(8), tiny_ofer.samples(8)
    losses = {}
    for name, cache in (('none', None), ('cold', 'c'), ('warm', 'c')):
        folder = cache and str(tmp_path / cache)
        model = tiny_ofer.build(cache=folder, flip_prob=0.5).train()
        optim = torch.optim.SGD(model.head.parameters(), lr=0.1)
        torch.manual_seed(3)
        for start in (0, 4, 0, 4):
            data = dict(
                inputs=photos[start : start + 4],
                data_samples=samples[start : start + 4],
            )
            data = model.data_preprocessor(data, True)
            loss = model.loss(data['inputs'], data['data_samples'])['loss_cls']
            optim.zero_grad()
            loss.backward()
            optim.step()
            losses.setdefault(name, []).append(loss.item())
    assert losses['cold'] == losses['warm']
    assert losses['none'] == pytest.approx(losses['cold'], rel=1e-4)


def test_a_full_cache_is_read_a_broken_file_named(cached, images, tmp_path):
    model, counter = cached
    model.cache.limit = 1
    model.run_stages(images)
    files = list((tmp_path / 'cache').glob('*/*.npz'))
    assert len(files) == 1
    model.run_stages(images)
    assert counter.images == 7
    [file] = files
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=f'{file.name}.*delete it'):
        model.run_stages(images)


def test_a_name_tells_pixels_size_and_precision_apart():
    images = torch.arange(24.0).view(2, 3, 2, 2)
    first, second = folder_cache.image_names(images)
    assert first != second
    assert folder_cache.image_names(images[:1].clone()) == [first]
    assert folder_cache.image_names(images[:1].view(1, 3, 1, 4)) != [first]
    with torch.autocast('cpu', torch.bfloat16):
        assert folder_cache.image_names(images[:1]) != [first]


def test_a_digest_reads_every_type_of_tensor():
    module = torch.nn.BatchNorm1d(3).bfloat16()
    before = folder_cache.digest(module, None)
    module.num_batches_tracked += 1
    assert folder_cache.digest(module, None) != before
    settings = folder_cache.digest(None, dict(a=1))
    assert settings != folder_cache.digest(None, {})
