import json

import pytest
import tiny_ofer
import torch

from mmocc.models import folder_cache
from mmocc.models.ofer import stage_cache
from mmocc.models.ofer.stage_cache import StageCache, image_names


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


def images_of(model, number=4, seed=0):
    return tiny_ofer.normalised(model, tiny_ofer.photos(number, seed))


def same(one, two):
    for name in ('faces', 'latents', 'distances'):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name), rtol=0, atol=2e-3
        )
    assert torch.equal(one.mask, two.mask)
    assert one.grid == two.grid


def test_second_time_nothing_is_computed_and_all_is_the_same(cached):
    model, counter = cached
    images = images_of(model)
    first = model.run_stages(images)
    assert counter.images == 4
    second = model.run_stages(images)
    assert counter.images == 4
    for one, two in zip(first[:4], second[:4], strict=True):
        assert torch.equal(one, two)
        assert one.dtype == two.dtype
    same(second, tiny_ofer.build().eval().run_stages(images))


def test_images_are_known_whatever_their_order_and_batch(cached):
    model, counter = cached
    images = images_of(model)
    first = model.run_stages(images)
    more = torch.cat([images[[3, 1]], images_of(model, 1, seed=9), images[:1]])
    second = model.run_stages(more)
    assert counter.images == 5  # the new one
    for place, old in ((0, 3), (1, 1), (3, 0)):
        assert torch.equal(second.latents[place], first.latents[old])
        assert torch.equal(second.faces[place], first.faces[old])


def test_a_mirrored_photo_gets_latents_of_its_own(cached):
    model, counter = cached
    images = images_of(model)
    model.run_stages(images)
    mirrored = model.run_stages(images.flip(-1))
    assert counter.images == 8
    again = model.run_stages(images.flip(-1))
    assert counter.images == 8
    expected = tiny_ofer.build().eval().run_stages(images.flip(-1))
    same(mirrored, expected)
    same(again, expected)


@pytest.mark.parametrize('part', ['extractor', 'detector'])
def test_a_cache_of_other_weights_is_refused(cached, tmp_path, part):
    model, _ = cached
    images = images_of(model)
    model.run_stages(images)
    stage = getattr(model.stages, part)
    with torch.no_grad():
        [*stage.parameters()][-1].mul_(1.5)
    with pytest.raises(ValueError, match=f'settings of {part} differ.*delete'):
        model.run_stages(images)
    with pytest.raises(ValueError, match=f'settings of {part} differ'):
        StageCache(tmp_path / 'cache')(model.stages, images)


def test_a_cache_of_another_radius_or_setting_is_refused(cached, tmp_path):
    model, _ = cached
    images = images_of(model)
    model.run_stages(images)
    model.stages.detector.radius.mul_(2)
    with pytest.raises(ValueError, match='settings of detector differ'):
        model.run_stages(images)
    other = tiny_ofer.build(
        latents='encoder', reconstructor=None, cache=str(tmp_path / 'cache')
    )
    with pytest.raises(ValueError, match='of reconstructor, latents differ'):
        other.run_stages(images)


def test_a_checkpoint_of_the_same_weights_finds_its_cache(cached, tmp_path):
    model, _ = cached
    images = images_of(model)
    model.run_stages(images)
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    other = tiny_ofer.build(cache=str(tmp_path / 'cache')).eval()
    other.load_state_dict(torch.load(tmp_path / 'model.pth'))
    counter = Counter(other)
    other.run_stages(images)
    assert counter.images == 0


def test_where_the_weights_were_loaded_from_is_not_in_the_key(cached):
    model, _ = cached
    key = stage_cache.stage_key(model.stages)
    model.stages.settings['detector']['init_cfg'] = dict(
        type='Pretrained', checkpoint='elsewhere.pth'
    )
    assert stage_cache.stage_key(model.stages) == key


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


def test_a_full_cache_is_not_filled_further_but_read(cached, tmp_path):
    model, counter = cached
    images = images_of(model)
    model.cache.limit = 1
    model.run_stages(images)
    files = list((tmp_path / 'cache').glob('*/*.npz'))
    assert len(files) == 1
    model.run_stages(images)
    assert counter.images == 7


def test_a_broken_file_is_named(cached, tmp_path):
    model, _ = cached
    images = images_of(model, 1)
    model.run_stages(images)
    [file] = (tmp_path / 'cache').glob('*/*.npz')
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=f'{file.name}.*delete it'):
        model.run_stages(images)


def test_no_part_of_a_file_is_left_behind(cached, tmp_path):
    model, _ = cached
    model.run_stages(images_of(model))
    assert not list(tmp_path.rglob('*.part'))
    key = json.loads((tmp_path / 'cache/key.json').read_text())
    parts = {'version', 'extractor', 'detector', 'reconstructor', 'latents'}
    assert key.keys() == parts


def test_a_name_tells_pixels_size_and_precision_apart():
    images = torch.arange(24.0).view(2, 3, 2, 2)
    first, second = image_names(images)
    assert first != second
    assert image_names(images[:1].clone()) == [first]
    assert image_names(images[:1].view(1, 3, 1, 4)) != [first]
    with torch.autocast('cpu', torch.bfloat16):
        assert image_names(images[:1]) != [first]


def test_digest_reads_every_type_of_tensor():
    module = torch.nn.BatchNorm1d(3).bfloat16()
    before = folder_cache.digest(module, None)
    module.num_batches_tracked += 1
    assert folder_cache.digest(module, None) != before
    assert folder_cache.digest(None, dict(a=1)) != folder_cache.digest(
        None, {}
    )
