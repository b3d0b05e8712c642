import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmocc.datasets.transforms import HideAndSeek, HideSegments
from mmocc.models.hide_and_seek import (
    BatchHideAndSeek,
    BatchHideSegments,
    HideFeatures,
)
from mmocc.registry import MODELS


def ones(number=4, height=50, width=70, **kwargs):
    return torch.ones(number, 3, height, width, **kwargs)


def assert_whole_cells(hidden, cell):
    """Check that each grid cell of (N, H, W) masks is hidden or not."""
    for y in range(0, hidden.shape[1], cell):
        for x in range(0, hidden.shape[2], cell):
            part = hidden[:, y : y + cell, x : x + cell].flatten(1)
            assert (part.all(dim=1) | ~part.any(dim=1)).all()


@pytest.mark.parametrize('cell', [1, 7, 16, 100])
@pytest.mark.parametrize('size', [(50, 70), (70, 50), (7, 90)])
def test_whole_cells_are_zero_in_all_channels_and_the_rest_is_unchanged(
    cell, size
):
    torch.manual_seed(0)
    before = torch.randn(16, 3, *size) - 5  # no zeros, mostly negative
    after, _ = BatchHideAndSeek([cell])(before.clone())
    hidden = (after == 0).all(dim=1)
    assert 0 < hidden.float().mean() < 1
    visible = ~hidden[:, None].expand_as(after)
    assert torch.equal(after[visible], before[visible])
    assert not torch.signbit(after[~visible]).any()  # 0, not -0
    assert_whole_cells(hidden, cell)


@pytest.mark.parametrize('sizes', [[16], [0, 8, 44]])
@pytest.mark.parametrize('prob', [0.25, 0.5])
def test_batches_and_single_images_are_hidden_with_the_same_distribution(
    sizes, prob
):
    count = 3000
    torch.manual_seed(0)
    np.random.seed(0)
    inputs = torch.ones(count, 1, 20, 50)
    masks = BatchHideAndSeek(sizes, prob)(inputs)[0][:, 0].numpy() == 0
    single = HideAndSeek(sizes, prob, keep_mask=True)
    pixels = np.zeros((20, 50, 3), np.uint8)
    others = np.stack(
        [single(dict(img=pixels))['occlusion_mask'] for _ in range(count)]
    )
    share = prob * np.mean([size > 0 for size in sizes])
    limit = 5 * (share * (1 - share) / count) ** 0.5
    for part in (masks, others):
        assert np.abs(part.mean(axis=0) - share).max() < limit
    for (y, x), (v, u) in (
        [(0, 0), (0, 7)],  # one cell of 8
        [(0, 0), (0, 8)],  # neighbours at 8
        [(0, 43), (0, 44)],  # neighbours at 44, the clipped one
        [(0, 0), (19, 49)],
    ):
        one, other = (
            (part[:, y, x] & part[:, v, u]).mean() for part in (masks, others)
        )
        assert one == pytest.approx(other, abs=0.045)
    one, other = (np.sort(p.mean(axis=(1, 2))) for p in (masks, others))
    assert np.abs(one - other).mean() < 0.02


@pytest.mark.parametrize(
    ('grid', 'sizes', 'alike'),
    [
        ([44], None, 44),  # the last 6 rows are a row of cells as well
        ([0, 16, 44], None, 4),
        ([100], None, 50),
        ([16], [(50, 70), (24, 70)], 8),
        ([16], [(50, 30), (33, 70)], 1),
    ],
)
def test_each_distinct_row_of_masks_is_made_once(grid, sizes, alike):
    assert BatchHideAndSeek(grid).rows_alike(ones(2), sizes) == alike
    torch.manual_seed(0)
    after, _ = BatchHideAndSeek(grid, 1.0)(ones(2), sizes=sizes)
    for image, (h, w) in zip(after, sizes or [(50, 70)] * 2, strict=True):
        hidden = (image == 0).all(dim=0)
        assert hidden[:h, :w].all() or (0 in grid and not hidden.any())
        assert hidden.sum() in (0, h * w)


def test_the_seed_decides_and_each_image_has_its_own_cells():
    batches = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        layer = BatchHideAndSeek([8])
        batches += [layer(ones(8))[0] for _ in range(2)]
    assert len(batches[0].unique(dim=0)) == 8
    assert torch.equal(batches[0], batches[2])
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[4])


def test_padding_never_changes_and_each_images_own_region_does():
    torch.manual_seed(0)
    sizes = [(50, 70), (20, 70), (50, 11), (33, 64)]
    layer = BatchHideAndSeek([16], hide_prob=1.0)
    after, _ = layer(ones(), sizes=sizes)
    for image, (h, w) in zip(after, sizes, strict=True):
        assert (image[:, :h, :w] == 0).all()
        assert (image[:, h:] == 1).all()
        assert (image[:, :, w:] == 1).all()


def test_sizes_come_from_data_samples_which_do_not_change():
    samples = [
        BaseDataElement(metainfo=dict(img_shape=(h, 70, 3)), gt_label=h)
        for h in (10, 20, 30, 40)
    ]
    after, same = BatchHideAndSeek([4], 1.0)(ones(), samples)
    assert same is samples
    assert [sample.gt_label for sample in samples] == [10, 20, 30, 40]
    assert (after == 1).sum(dim=(1, 2, 3)).tolist() == [
        3 * 70 * (50 - h) for h in (10, 20, 30, 40)
    ]
    score = torch.eye(4)  # of mmpretrain's batch augmentations
    after, same = BatchHideAndSeek([4], 1.0)(ones(), score)
    assert same is score
    assert (after == 0).all()


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_infinities_of_each_float_type_are_hidden_in_place_or_not(dtype):
    for inplace in (True, False):
        inputs = torch.full((2, 3, 16, 16), torch.inf, dtype=dtype)
        after, _ = BatchHideAndSeek([8], 1.0, inplace=inplace)(inputs)
        assert after.dtype == dtype
        assert (after == 0).all()
        assert (inputs == (0 if inplace else torch.inf)).all()


def test_memory_format_and_pieces_of_a_batch_do_not_matter(monkeypatch):
    batches = []
    for form in (torch.contiguous_format, torch.channels_last):
        for pixels in (2**30, 1):
            monkeypatch.setattr(
                'mmocc.models.hide_and_seek.batch_hide_and_seek.CACHED_PIXELS',
                pixels,
            )
            torch.manual_seed(0)
            inputs = ones(5).to(memory_format=form)
            batches.append(BatchHideAndSeek()(inputs)[0])
    assert all(torch.equal(batches[0], batch) for batch in batches)


@pytest.mark.parametrize(
    ('layer', 'sizes'),
    [
        (BatchHideAndSeek(), {}),
        (BatchHideAndSeek(), dict(sizes=[(20, 30)] * 4)),
        (HideFeatures([4, 3]), {}),
        (BatchHideSegments((3, 4), fill=1.0), {}),
    ],
)
def test_the_host_fetches_nothing_from_the_device(layer, sizes):
    # A meta tensor has no values: whatever needs one raises.
    inputs = ones(device='meta')
    with pytest.raises(RuntimeError, match=r'(?i)meta'):
        inputs.sum().item()
    after = layer.to('meta')(inputs, **sizes)
    after = after[0] if isinstance(after, tuple) else after
    assert after.shape == inputs.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_host_never_waits_for_a_gpu():
    layer, inputs = BatchHideAndSeek([8], 1.0).cuda(), ones().cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        after, _ = layer(inputs, sizes=[(20, 70)] * 4)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert (after[:, :, :20] == 0).all()
    assert (after[:, :, 20:] == 1).all()


def test_mmdet_uses_it_as_a_batch_augmentation():
    pytest.importorskip('mmdet')
    from mmdet.structures import DetDataSample

    hide = dict(type='mmocc.BatchHideAndSeek', grid_sizes=[8], hide_prob=1.0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        preprocessor = MODELS.build(
            dict(
                type='mmdet.DetDataPreprocessor',
                mean=[100.0] * 3,
                std=[50.0] * 3,
                pad_size_divisor=32,
                pad_value=7,
                batch_augments=[hide],
            )
        )
    shapes = [(30, 40), (50, 20)]
    images = [torch.full((3, *s), 200, dtype=torch.uint8) for s in shapes]
    samples = [DetDataSample(metainfo=dict(img_shape=s)) for s in shapes]
    for training in (True, False):
        data = dict(inputs=images, data_samples=samples)
        batch = preprocessor(data, training)['inputs']
        assert batch.shape == (2, 3, 64, 64)
        for image, (h, w) in zip(batch, shapes, strict=True):
            assert (image[:, :h, :w] == (0 if training else 2)).all()
            assert (image[:, h:] == 7).all()
            assert (image[:, :, w:] == 7).all()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: BatchHideAndSeek([-4]), r'whole numbers.*\[-4\]'),
        (lambda: BatchHideAndSeek(hide_prob=2), 'in .0, 1., got 2'),
        (lambda: HideFeatures([-1]), 'whole numbers'),
        (lambda: HideFeatures(hide_prob=-1), 'in .0, 1.'),
        (lambda: HideFeatures(fill='zero'), "'mean' or a number, got 'zero'"),
        (lambda: BatchHideSegments(-3), r'whole numbers.*\[-3\]'),
        (lambda: BatchHideSegments(3, hide_prob=1.2), r'got 1\.2'),
        (
            lambda: BatchHideAndSeek()(ones().byte()),
            r'uint8.*normalise',
        ),
        (
            lambda: BatchHideAndSeek([8])(ones(), sizes=[(8, 8)]),
            '1 image sizes for a batch of 4',
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_evaluation_and_size_zero_change_nothing():
    inputs = ones()
    for layer in (BatchHideAndSeek, HideFeatures, BatchHideSegments):
        for off in (layer([2]).eval(), layer([0])):
            after = off(inputs)
            assert (after[0] if isinstance(after, tuple) else after) is inputs
    assert (inputs == 1).all()


# -- maps inside a network -------------------------------------------------


@pytest.mark.parametrize('cell', [5, 11])
def test_all_channels_of_a_cell_get_their_means_together(cell):
    torch.manual_seed(0)
    maps = torch.randn(8, 4, 55, 50)
    after = HideFeatures([cell])(maps)
    mean = maps.mean(dim=(0, 2, 3))[:, None, None].expand_as(maps)
    hidden = after != maps
    assert (hidden == hidden[:, :1]).all()
    assert 0.3 < hidden.float().mean() < 0.7
    assert torch.equal(after[hidden], mean[hidden])
    assert_whole_cells(hidden[:, 0], cell)
    assert len(hidden.unique(dim=0)) == 8
    fixed = HideFeatures([cell], hide_prob=1.0, fill=0.5)
    assert (fixed(maps) == 0.5).all()


def test_gradients_flow_only_through_visible_cells():
    torch.manual_seed(0)
    maps = torch.randn(2, 4, 12, 12, requires_grad=True)
    after = HideFeatures([4])(maps)
    after.sum().backward()
    assert torch.equal(maps.grad, (after == maps).float())
    assert 0 < maps.grad.mean() < 1


def test_tokens_are_hidden_as_the_map_that_they_are():
    torch.manual_seed(0)
    tokens = torch.randn(8, 1 + 12 * 12, 4)
    after = HideFeatures([3])(tokens)
    hidden = after != tokens
    assert (hidden == hidden[..., :1]).all()  # all channels of a token
    assert not hidden[:, 0].any()  # the class token stays
    grid = hidden[:, 1:, 0].view(8, 12, 12)
    assert_whole_cells(grid, 3)
    assert 0.3 < grid.float().mean() < 0.7
    with pytest.raises(ValueError, match='13 tokens are no square grid'):
        HideFeatures([3])(tokens[:, :13])
    with pytest.raises(ValueError, match=r'tokens.*got shape \(8, 4\)'):
        HideFeatures([3])(tokens[:, 0])
    with pytest.raises(ValueError, match=r'images \(N, C, H, W\), got'):
        BatchHideAndSeek()(tokens)


def test_the_hook_hides_after_a_named_module_in_training_only(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.model.backbone.frozen_stages = 1  # whose modules never train
    cfg.custom_hooks = [
        dict(
            type='mmocc.HideFeaturesHook',
            module='backbone.conv1',
            hide=dict(type='mmocc.HideFeatures', hide_prob=1.0, fill=3.0),
        )
    ]
    runner = Runner.from_cfg(cfg)
    names = set(runner.model.state_dict())
    calls = []
    runner.model.backbone.bn1.register_forward_pre_hook(
        lambda module, args: calls.append(
            (runner.model.training, (args[0] == 3).all().item())
        )
    )
    runner.train()
    assert calls == [(True, True)] * 2 + [(False, False)] * 2
    assert set(runner.model.state_dict()) == names
    runner.model.train()
    runner.model.extract_feat(torch.zeros(2, 3, 64, 64))
    assert calls[-1] == (True, False)  # the hook is gone
    cfg.custom_hooks[0].module = 'backbone.conv9'
    cfg.experiment_name = 'missing'
    with pytest.raises(ValueError, match=r'backbone\.conv9.*backbone\.conv1'):
        Runner.from_cfg(cfg).train()


# -- sequences ---------------------------------------------------------------


def test_whole_segments_of_each_clip_are_filled_and_the_input_stays():
    torch.manual_seed(0)
    clips = torch.randn(16, 25, 3, 2)
    copy = clips.clone()
    after = BatchHideSegments(10, fill=[7.0, 8.0])(clips)
    hidden = (after == torch.tensor([7.0, 8.0])).flatten(2).all(dim=2)
    assert torch.equal(clips, copy)
    assert torch.equal(after[~hidden], clips[~hidden])
    for start in (0, 10, 20):  # the last is cut off at 25
        part = hidden[:, start : start + 10]
        assert (part.all(dim=1) | ~part.any(dim=1)).all()
    assert 0.2 < hidden.float().mean() < 0.8
    assert len(hidden.unique(dim=0)) > 4


@pytest.mark.parametrize('lengths', [4, (0, 3, 7)])
def test_batch_and_transform_hide_frames_as_often(lengths):
    count = 4000
    torch.manual_seed(0)
    np.random.seed(0)
    layer, single = BatchHideSegments(lengths, 0.3), HideSegments(lengths, 0.3)
    batch = (layer(torch.ones(count, 10, 1))[..., 0] == 0).numpy()
    clip = np.ones((10, 1))
    singles = np.stack(
        [single(dict(img=clip))['img'][:, 0] == 0 for _ in range(count)]
    )
    share = 0.3 * np.mean(np.ravel(lengths) > 0)
    for masks in (batch, singles):
        assert np.abs(masks.mean(axis=0) - share).max() < 0.037
    assert np.abs(np.cov(batch.T) - np.cov(singles.T)).max() < 0.03


@pytest.mark.parametrize('inplace', [True, False])
def test_the_frames_of_a_clip_hide_the_same_cells(inplace):
    clips = 1 + torch.rand(3, 2, 5, 32, 48)
    before = clips.clone()
    torch.manual_seed(0)
    after, _ = BatchHideAndSeek([16], inplace=inplace).train()(clips)
    hidden = after == 0
    assert after.shape == before.shape
    assert (hidden == hidden[:, :1, :1]).all()
    assert len({tuple(clip[0, 0].flatten().tolist()) for clip in hidden}) == 3
    assert torch.equal(after[~hidden], before[~hidden])
    assert torch.equal(clips, after if inplace else before)
