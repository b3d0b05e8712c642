"""Clean features of LEARN come from disk and equal the backbone's."""

import numpy as np
import pytest
import tiny_learn
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import multiprocessing
from two_ranks import join, leave

IMAGES, BATCH, EPOCHS = 12, 4, 3
FIRST = [0, 1, 2, 3]  # a batch
VALUES = 64 * 4 * 4  # of a feature


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
    """Counts the images that the backbone reads."""

    def __init__(self, model):
        self.images = 0
        model.backbone.register_forward_hook(self.count)

    def count(self, module, inputs, outputs):
        self.images += len(inputs[0])

    def since(self):
        images, self.images = self.images, 0
        return images


def batch(model, order):
    """Return images of the data set, normalised, and their samples."""
    torch.manual_seed(1)
    images = torch.randint(256, (IMAGES, 3, 32, 32)).to(torch.uint8)
    samples = []
    for index in order:
        meta = dict(sample_idx=index, img_path=f'images/{index}.png')
        samples.append(DataSample(metainfo=meta).set_gt_label(index % 3))
    data = dict(inputs=images[order], data_samples=samples)
    return model.data_preprocessor(data, True).values()


def losses_of(model, order=FIRST, optim=None):
    """Return the losses of batches of the data set, in this order."""
    values = []
    for start in range(0, len(order), BATCH):
        losses = model.loss(*batch(model, order[start : start + BATCH]))
        if optim is not None:
            optim.zero_grad()
            sum(losses.values()).backward()
            optim.step()
        values.append({k: v.item() for k, v in losses.items()})
    return values


def train(model):
    """Return the losses of all steps, and the images read in each epoch."""
    optim = torch.optim.SGD(model.learn.parameters(), lr=0.02, momentum=0.9)
    generator = torch.Generator().manual_seed(2)
    counter, losses, images = Counter(model), [], []
    for _ in range(EPOCHS):
        order = torch.randperm(IMAGES, generator=generator).tolist()
        losses += losses_of(model, order, optim)
        images.append(counter.since())
    return losses, images


def assert_equal_losses(losses, expected):
    for one, other in zip(losses, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-6)


def test_training_is_the_same_and_clean_images_are_computed_once(tmp_path):
    plain, images = train(build())
    assert images == [2 * IMAGES] * EPOCHS
    assert plain[-1]['loss_rec'] < plain[0]['loss_rec']
    for expected in ([2 * IMAGES, IMAGES, IMAGES], [IMAGES] * EPOCHS):
        cached, images = train(build(tmp_path / 'cache'))
        assert images == expected  # the second run reads all from disk
        assert_equal_losses(cached, plain)


@pytest.mark.parametrize(
    ('dtype', 'error'),
    [('float32', 0), ('float16', 2**-11), ('bfloat16', 2**-8)],
)
def test_precision_and_size_are_as_stated(tmp_path, dtype, error):
    model = build(tmp_path, dtype)
    clean, samples = batch(model, list(range(IMAGES)))
    model.clean_cache.check(model.frozen_parts)
    true = model.frozen_feature(clean)
    for _ in ('computed', 'from disk'):
        both = model.clean_cache(
            model.frozen_feature, clean, model.occluder, samples
        )
        features = both[:IMAGES]
        assert features.dtype == torch.float32
        off = (features - true).abs()
        assert (off <= error * true.abs() + 1e-6).all()
        assert (off.max() > 1e-5) == (dtype != 'float32')
    files = list(tmp_path.glob('*/*.npz'))
    assert len(files) == IMAGES
    size = VALUES * (4 if dtype == 'float32' else 2)
    assert all(size < file.stat().st_size < size + 1024 for file in files)
    assert not list(tmp_path.rglob('*.part'))


def test_a_stopped_run_continues_and_computes_damaged_files_again(tmp_path):
    losses_of(build(tmp_path))
    file = min(tmp_path.glob('*/*.npz'))
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:100])
    model = build(tmp_path)
    counter = Counter(model)
    order = [*FIRST, 9, 0, 7, 2]
    assert_equal_losses(losses_of(model, order), losses_of(build(), order))
    assert counter.since() == 2 * BATCH + 3  # the damaged one, 9 and 7
    assert file.stat().st_size == size


def test_images_that_change_at_random_are_refused(tmp_path):
    model = build(tmp_path)
    clean, samples = batch(model, FIRST)
    model.loss(clean, samples)
    clean[2] = clean[2].flip(-1)
    message = r'images/2\.png \(sample 2\) had other pixels.*RandomFlip'
    with pytest.raises(ValueError, match=message):
        model.loss(clean, samples)


def test_a_cache_of_another_checkpoint_or_type_is_refused(tmp_path):
    model = build(tmp_path)
    losses_of(model)
    counter = Counter(model)
    with torch.no_grad():  # LEARN and the head may change
        for part in (model.learn, model.head):
            for parameter in part.parameters():
                parameter.mul_(1.5)
    losses_of(model)
    assert counter.since() == BATCH
    with torch.no_grad():
        model.backbone.conv1.weight[0, 0, 0, 0] += 1
    message = r'settings of backbone differ.*set model.clean_cache to another'
    with pytest.raises(ValueError, match=message):
        losses_of(model)
    with pytest.raises(ValueError, match='of clean_cache_dtype differ'):
        losses_of(build(tmp_path, 'float16'))
    backbone = Config.fromstring(tiny_learn.config_text(), '.py').model
    backbone = dict(backbone.backbone, out_indices=(2, 3))
    with pytest.raises(ValueError, match='settings of backbone differ'):
        losses_of(build(tmp_path, backbone=backbone))


def test_prediction_does_not_use_the_cache(tmp_path):
    model = build(tmp_path)
    with torch.no_grad():
        model(torch.randn(2, 3, 32, 32), mode='tensor')
    assert not list(tmp_path.iterdir())


def test_mixed_precision_has_separate_files(tmp_path):
    model = build(tmp_path, 'float16')
    losses_of(model)
    counter = Counter(model)
    with torch.autocast('cpu', torch.bfloat16):
        (cold,) = losses_of(model)
        assert counter.since() == 2 * BATCH
        model.occluder._steps -= 1
        (warm,) = losses_of(model)
    assert counter.since() == BATCH
    assert warm == pytest.approx(cold, rel=0.02)


def test_features_outside_the_range_of_the_type_are_refused(tmp_path):
    model = build(tmp_path, 'float16')
    with torch.no_grad():
        for norm in ('bn1', 'bn2'):
            getattr(model.backbone.layer4[-1], norm).weight.fill_(1e6)
    with pytest.raises(FloatingPointError, match=r"'float32'"):
        losses_of(model)
    assert not list(tmp_path.glob('*/*.npz'))


def test_samples_without_a_number_and_wrong_options_are_refused(tmp_path):
    model = build(tmp_path)
    samples = [DataSample().set_gt_label(0)]
    with pytest.raises(ValueError, match=r'sample_idx.*PackInputs'):
        model.loss(torch.randn(1, 3, 32, 32), samples)
    with pytest.raises(ValueError, match="clean_cache_dtype 'int8'"):
        build(tmp_path, 'int8')


def test_a_full_folder_is_read_and_not_filled_further(tmp_path):
    model = build(tmp_path, clean_cache_limit_gib=1e-9)
    order = list(range(IMAGES))
    expected = losses_of(build(), order)
    for _ in range(2):
        model.occluder._steps = 0
        assert_equal_losses(losses_of(model, order), expected)
        assert len(list(tmp_path.glob('*/*.npz'))) == 1


def work(rank, folder):
    """Train on every second image; then on those of the other rank."""
    torch.set_num_threads(1)
    join(rank, folder)
    model = build(folder / 'cache')
    counter, images = Counter(model), []
    for first in (rank, 1 - rank, rank):
        losses_of(model, list(range(first, 8, 2)))
        torch.distributed.barrier()
        images.append(counter.since())
    # Both write the same images at the same time.
    losses_of(model, [8, 9, 10, 11])
    torch.save(images, folder / f'{rank}.pth')
    leave()


def test_two_processes_share_a_folder(tmp_path):
    multiprocessing.start_processes(
        work, (tmp_path,), nprocs=2, start_method='fork'
    )
    for rank in range(2):
        assert torch.load(tmp_path / f'{rank}.pth') == [8, 4, 4]
    cache = tmp_path / 'cache'
    assert len(list(cache.glob('*/*.npz'))) == IMAGES
    assert not list(cache.rglob('*.part'))
    order = list(range(IMAGES))
    expected = losses_of(build(), order)
    assert_equal_losses(losses_of(build(cache), order), expected)


def at_epoch(monkeypatch, epoch):
    """Let the occluder see the epoch of a run."""
    hub = MessageHub.get_instance('variants')
    hub.update_info('epoch', epoch)
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)


def test_fixed_twins_are_computed_once_too(tmp_path, monkeypatch):
    order, other = list(range(IMAGES)), [5, 1, 9, 4, 0, 2, 8, 3, 11, 6, 7, 10]
    twins = dict(occluder=dict(variants=2))
    plain, cached = build(**twins), build(tmp_path, **twins)
    counter = Counter(cached)
    losses, images = [], []
    for epoch in range(4):
        at_epoch(monkeypatch, epoch)
        batches = other if epoch % 2 else order
        losses.append(losses_of(cached, batches))
        assert_equal_losses(losses[-1], losses_of(plain, batches))
        images.append(counter.since())
    assert images == [2 * IMAGES, IMAGES, 0, 0]
    assert len(list(tmp_path.glob('*/*.npz'))) == 3 * IMAGES
    # As the weights stay: the same twins, the same losses.
    assert losses[2] == losses[0]
    assert losses[3] == losses[1]
    assert losses[1][0] != pytest.approx(losses[0][0], rel=1e-3)
    again = build(tmp_path, **twins)
    counter = Counter(again)
    assert_equal_losses(losses_of(again, other), losses[3])
    assert counter.since() == 0


def test_twins_of_other_occluders_have_their_own_files(tmp_path, monkeypatch):
    at_epoch(monkeypatch, 0)
    losses_of(build(tmp_path, occluder=dict(variants=2)))
    for change, computed in (
        (dict(variants=3), 0),  # more of the same
        (dict(seed=1), BATCH),
        (dict(kinds='white'), BATCH),
        (dict(area=0.5), BATCH),
    ):
        model = build(tmp_path, occluder=dict(variants=2) | change)
        counter = Counter(model)
        (losses,) = losses_of(model)
        assert counter.since() == computed
        (plain,) = losses_of(build(occluder=dict(variants=2) | change))
        assert losses == pytest.approx(plain, rel=1e-6)


def test_another_clean_image_does_not_get_its_old_twin(tmp_path):
    model = build(tmp_path, occluder=dict(variants=1))
    clean, samples = batch(model, FIRST)
    model.loss(clean, samples)
    for file in tmp_path.glob('*/*.npz'):
        with np.load(file) as arrays:
            assert set(arrays) == {'feat', 'pixels'}
    clean[0] += 1
    with pytest.raises(ValueError, match='had other pixels'):
        model.loss(clean, samples)
