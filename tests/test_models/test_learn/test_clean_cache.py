"""Clean features of LEARN come from disk, and are those of the backbone."""

import copy

import pytest
import tiny_learn
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.models.learn.clean_cache import CleanCache, fingerprints

IMAGES, BATCH, EPOCHS = 12, 4, 3
SHAPE = (64, 4, 4)  # of a feature


def build(folder=None, dtype='float32', **changes):
    cfg = Config.fromstring(tiny_learn.config_text(), '.py').model
    cfg.update(
        clean_cache=folder and str(folder), clean_cache_dtype=dtype, **changes
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    model.init_weights()
    model.backbone.train()
    model.backbone(torch.randn(64, 3, 32, 32))  # statistics of batch norm
    return model.train()


class Counter:
    """Counts the images that the backbone is shown."""

    def __init__(self, model):
        self.images = 0
        model.backbone.register_forward_hook(self.count)

    def count(self, module, inputs, outputs):
        self.images += len(inputs[0])

    def since(self):
        seen, self.images = self.images, 0
        return seen


def data_set(number=IMAGES):
    torch.manual_seed(1)
    samples = []
    for index in range(number):
        meta = dict(sample_idx=index, img_path=f'images/{index}.png')
        samples.append(DataSample(metainfo=meta).set_gt_label(index % 3))
    return torch.randint(256, (number, 3, 32, 32)).to(torch.uint8), samples


def losses_of(model, order, optim=None):
    """Return the losses of batches of the data set, in this order."""
    images, samples = data_set()
    found = []
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        data = dict(
            inputs=images[chosen], data_samples=[samples[i] for i in chosen]
        )
        data = model.data_preprocessor(copy.deepcopy(data), True)
        losses = model.loss(data['inputs'], data['data_samples'])
        if optim is not None:
            optim.zero_grad()
            sum(losses.values()).backward()
            optim.step()
        found.append({k: v.item() for k, v in losses.items()})
    return found


def train(model):
    """Return the losses of all steps, shuffled anew in each epoch."""
    optim = torch.optim.SGD(model.learn.parameters(), lr=0.02, momentum=0.9)
    generator = torch.Generator().manual_seed(2)
    counter, found, seen = Counter(model), [], []
    for _ in range(EPOCHS):
        order = torch.randperm(IMAGES, generator=generator).tolist()
        found += losses_of(model, order, optim)
        seen.append(counter.since())
    return found, seen


def test_training_is_the_same_and_clean_images_are_computed_once(tmp_path):
    plain, seen = train(build())
    assert seen == [2 * IMAGES] * EPOCHS
    assert plain[-1]['loss_rec'] < plain[0]['loss_rec']
    for expected in ([2 * IMAGES, IMAGES, IMAGES], [IMAGES] * EPOCHS):
        cached, seen = train(build(tmp_path / 'cache'))
        assert seen == expected  # the second run finds all of it
        for one, other in zip(cached, plain, strict=True):
            assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize(
    ('dtype', 'error'),
    [('float32', 0), ('float16', 2**-11), ('bfloat16', 2**-8)],
)
def test_precision_and_size_are_as_stated(tmp_path, dtype, error):
    model = build(tmp_path, dtype)
    losses_of(model, list(range(IMAGES)))
    images, samples = data_set()
    data = dict(inputs=images, data_samples=samples)
    clean = model.data_preprocessor(data, True)['inputs']
    true = model.frozen_feature(clean)
    for _ in ('from disk', 'computed anew'):
        both = model.clean_cache(
            model.frozen_feature, clean, clean.flip(-1), samples
        )
        found = both[:IMAGES]
        assert found.dtype == torch.float32
        off = (found - true).abs()
        assert (off <= error * true.abs() + 1e-6).all()
        assert (off.max() > 1e-5) == (dtype != 'float32')
        for file in tmp_path.glob('*/*.npz'):
            file.unlink()
    losses_of(model, list(range(IMAGES)))
    files = list(tmp_path.glob('*/*.npz'))
    assert len(files) == IMAGES
    each = torch.Size(SHAPE).numel() * (4 if dtype == 'float32' else 2)
    for file in files:
        assert each < file.stat().st_size < each + 1024
    assert not list(tmp_path.rglob('*.part'))


def test_a_stopped_run_goes_on_with_what_it_has(tmp_path):
    model = build(tmp_path)
    losses_of(model, [0, 1, 2, 3])
    again = build(tmp_path)
    counter = Counter(again)
    (expected,) = losses_of(build(), [3, 9, 0, 7])
    (found,) = losses_of(again, [3, 9, 0, 7])
    assert counter.since() == BATCH + 2
    assert found == pytest.approx(expected, rel=1e-6)


def test_images_that_change_at_random_are_refused(tmp_path):
    model = build(tmp_path)
    images, samples = data_set(4)
    clean = model.data_preprocessor(
        dict(inputs=images, data_samples=samples), True
    )['inputs']
    model.loss(clean, samples)
    clean[2] = clean[2].flip(-1)
    message = r'images/2\.png \(sample 2\) had other pixels.*RandomFlip'
    with pytest.raises(ValueError, match=message):
        model.loss(clean, samples)


def test_a_cache_of_another_checkpoint_or_type_is_refused(tmp_path):
    model = build(tmp_path)
    losses_of(model, [0, 1, 2, 3])
    with torch.no_grad():
        model.backbone.conv1.weight[0, 0, 0, 0] += 1
    message = r'settings of backbone differ.*set model.clean_cache to another'
    with pytest.raises(ValueError, match=message):
        losses_of(model, [0, 1, 2, 3])
    with pytest.raises(ValueError, match='of clean_cache_dtype differ'):
        losses_of(build(tmp_path, 'float16'), [0, 1, 2, 3])
    backbone = model_config().backbone
    backbone.out_indices = (2, 3)
    with pytest.raises(ValueError, match='settings of backbone differ'):
        losses_of(build(tmp_path, backbone=backbone), [0, 1, 2, 3])


def model_config():
    return Config.fromstring(tiny_learn.config_text(), '.py').model


def test_learns_own_weights_and_the_head_are_not_in_the_key(tmp_path):
    model = build(tmp_path)
    losses_of(model, [0, 1, 2, 3])
    counter = Counter(model)
    with torch.no_grad():
        for part in (model.learn, model.head):
            for parameter in part.parameters():
                parameter.mul_(1.5)
    losses_of(model, [0, 1, 2, 3])
    assert counter.since() == BATCH


def test_prediction_does_not_ask_the_cache(tmp_path):
    model = build(tmp_path)
    with torch.no_grad():
        model(torch.randn(2, 3, 32, 32), mode='tensor')
    assert not list(tmp_path.iterdir())


def test_mixed_precision_has_files_of_its_own(tmp_path):
    model = build(tmp_path, 'float16')
    losses_of(model, [0, 1, 2, 3])
    counter = Counter(model)
    with torch.autocast('cpu', torch.bfloat16):
        (cold,) = losses_of(model, [0, 1, 2, 3])
        assert counter.since() == 2 * BATCH
        model.occluder._steps -= 1
        (warm,) = losses_of(model, [0, 1, 2, 3])
    assert counter.since() == BATCH
    assert warm == pytest.approx(cold, rel=0.02)


def test_what_the_type_cannot_hold_is_refused(tmp_path):
    model = build(tmp_path, 'float16')
    with torch.no_grad():
        for norm in ('bn1', 'bn2'):
            getattr(model.backbone.layer4[-1], norm).weight.fill_(1e6)
    with pytest.raises(FloatingPointError, match=r"'float32'"):
        losses_of(model, [0, 1, 2, 3])
    assert not list(tmp_path.glob('*/*.npz'))


def test_samples_without_a_number_and_wrong_options_are_refused(tmp_path):
    model = build(tmp_path)
    samples = [DataSample().set_gt_label(0)]
    with pytest.raises(ValueError, match=r'sample_idx.*PackInputs'):
        model.loss(torch.randn(1, 3, 32, 32), samples)
    with pytest.raises(ValueError, match="clean_cache_dtype 'int8'"):
        build(tmp_path, 'int8')
    cfg = model_config()
    inner = dict(
        learn=dict(type='mmocc.LEARN', in_channels=32),
        insert_after='backbone.layer3',
        neck=cfg.neck[1],
    )
    with pytest.raises(ValueError, match='insert_after'):
        build(tmp_path, **inner)


def test_a_full_folder_is_read_and_not_filled_further(tmp_path):
    model = build(tmp_path, clean_cache_limit_gib=1e-9)
    losses_of(model, list(range(IMAGES)))
    assert len(list(tmp_path.glob('*/*.npz'))) == 1
    (expected,) = losses_of(build(), [0, 1, 2, 3])
    model.occluder._steps = 0
    (found,) = losses_of(model, [0, 1, 2, 3])
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_broken_file_is_named(tmp_path):
    model = build(tmp_path)
    losses_of(model, [0, 1, 2, 3])
    file = sorted(tmp_path.glob('*/*.npz'))[0]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=f'{file.name}.*delete it'):
        losses_of(model, [0, 1, 2, 3])


def test_fingerprints_tell_pixels_apart():
    images = torch.randn(3, 3, 8, 8)
    first = fingerprints(images)
    assert len(set(first)) == 3
    assert fingerprints(images.clone()) == first
    assert fingerprints(images[1:]) == first[1:]
    for change in (images.flip(-1), images.transpose(-1, -2), -images):
        assert not set(fingerprints(change)) & set(first)
    images[1, 2, 3, 4] = torch.nextafter(images[1, 2, 3, 4], torch.tensor(9.0))
    second = fingerprints(images)
    assert [a == b for a, b in zip(first, second, strict=True)] == [
        True,
        False,
        True,
    ]


def work(rank, folder):
    """Train on every second image; then on those of the other rank."""
    torch.set_num_threads(1)
    join(rank, folder)
    model = build(folder / 'cache')
    counter, seen = Counter(model), []
    for first in (rank, 1 - rank, rank):
        losses_of(model, list(range(first, 8, 2)))
        torch.distributed.barrier()
        seen.append(counter.since())
    # Both write the same images at the same time.
    losses_of(model, [8, 9, 10, 11])
    torch.save(seen, folder / f'{rank}.pth')
    leave()


def test_two_processes_share_a_folder(tmp_path):
    multiprocessing.start_processes(
        work, (tmp_path,), nprocs=2, start_method='fork'
    )
    for rank in range(2):
        assert torch.load(tmp_path / f'{rank}.pth') == [8, 4, 4]
    cache = CleanCache(tmp_path / 'cache', [{}])
    files = list(cache.folder.glob('*/*.npz'))
    assert len(files) == IMAGES
    assert not list(cache.folder.rglob('*.part'))
    order = list(range(IMAGES))
    expected = losses_of(build(), order)
    found = losses_of(build(tmp_path / 'cache'), order)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-6)
