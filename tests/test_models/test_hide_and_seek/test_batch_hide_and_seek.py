import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmocc.datasets.transforms import HideAndSeek
from mmocc.models.hide_and_seek import BatchHideAndSeek
from mmocc.registry import MODELS


def ones(number=4, height=50, width=70, **kwargs):
    return torch.ones(number, 3, height, width, **kwargs)


@pytest.mark.parametrize('cell', [1, 7, 16, 100])
@pytest.mark.parametrize('size', [(50, 70), (70, 50), (7, 90)])
def test_whole_cells_are_zero_in_all_channels_and_the_rest_untouched(
    cell, size
):
    torch.manual_seed(0)
    before = torch.randn(16, 3, *size) - 5  # no zeros, mostly negative
    after, _ = BatchHideAndSeek([cell])(before.clone())
    hidden = (after == 0).all(dim=1)
    assert 0 < hidden.float().mean() < 1
    shown = ~hidden[:, None].expand_as(after)
    assert torch.equal(after[shown], before[shown])
    assert not torch.signbit(after[~shown]).any()  # 0, not -0
    for y in range(0, size[0], cell):
        for x in range(0, size[1], cell):
            part = hidden[:, y : y + cell, x : x + cell].flatten(1)
            assert (part.all(dim=1) | ~part.any(dim=1)).all()


@pytest.mark.parametrize('sizes', [[16], [0, 8, 44]])
@pytest.mark.parametrize('prob', [0.25, 0.5])
def test_batch_and_single_images_are_hidden_with_the_same_distribution(
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
    wanted = prob * np.mean([size > 0 for size in sizes])
    limit = 5 * (wanted * (1 - wanted) / count) ** 0.5
    for found in (masks, others):
        assert np.abs(found.mean(axis=0) - wanted).max() < limit
    for places in (
        [(0, 0), (0, 7)],  # one cell of 8
        [(0, 0), (0, 8)],  # neighbours at 8
        [(0, 43), (0, 44)],  # neighbours at 44, the clipped one
        [(0, 0), (19, 49)],
    ):
        (y, x), (v, u) = places
        together = [
            (found[:, y, x] & found[:, v, u]).mean()
            for found in (masks, others)
        ]
        assert together[0] == pytest.approx(together[1], abs=0.045)
    shares = [np.sort(found.mean(axis=(1, 2))) for found in (masks, others)]
    assert np.abs(shares[0] - shares[1]).mean() < 0.02


def test_each_image_has_a_mask_of_its_own_and_calls_differ():
    torch.manual_seed(0)
    layer = BatchHideAndSeek([8])
    first, second = (layer(ones(8))[0] for _ in range(2))
    assert len(first.unique(dim=0)) == 8
    assert not torch.equal(first, second)


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
def test_no_more_rows_of_masks_are_made_than_differ(grid, sizes, alike):
    assert BatchHideAndSeek(grid).rows_alike(ones(2), sizes) == alike
    torch.manual_seed(0)
    after, _ = BatchHideAndSeek(grid, 1.0)(ones(2), sizes=sizes)
    for image, (h, w) in zip(after, sizes or [(50, 70)] * 2, strict=True):
        hidden = (image == 0).all(dim=0)
        assert hidden[:h, :w].all() or (0 in grid and not hidden.any())
        assert hidden.sum() in (0, h * w)


def test_the_seed_decides():
    batches = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        batches.append(BatchHideAndSeek()(ones())[0])
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


def test_padding_is_never_touched_and_each_images_own_region_is():
    torch.manual_seed(0)
    sizes = [(50, 70), (20, 70), (50, 11), (33, 64)]
    layer = BatchHideAndSeek([16], hide_prob=1.0)
    after, _ = layer(ones(), sizes=sizes)
    for image, (h, w) in zip(after, sizes, strict=True):
        assert (image[:, :h, :w] == 0).all()
        assert (image[:, h:] == 1).all()
        assert (image[:, :, w:] == 1).all()


def test_sizes_are_read_from_data_samples_which_come_back_untouched():
    from mmengine.structures import BaseDataElement

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


def test_scores_of_a_batch_augmentation_pass_through():
    score = torch.eye(4)
    after, same = BatchHideAndSeek([4], 1.0)(ones(), score)
    assert same is score
    assert (after == 0).all()


def test_evaluation_and_grid_zero_change_nothing():
    inputs = ones()
    assert BatchHideAndSeek().eval()(inputs)[0] is inputs
    assert BatchHideAndSeek([0])(inputs)[0] is inputs
    assert (inputs == 1).all()


def test_it_writes_in_place_unless_told_not_to():
    for inplace in (True, False):
        inputs = ones()
        after, _ = BatchHideAndSeek([8], 1.0, inplace=inplace)(inputs)
        assert (after == 0).all()
        assert (inputs == (0 if inplace else 1)).all()


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float64]
)
def test_other_float_types_keep_their_type_and_infinities_are_hidden(dtype):
    inputs = torch.full((2, 3, 16, 16), torch.inf, dtype=dtype)
    after, _ = BatchHideAndSeek([8], 1.0)(inputs)
    assert after.dtype == dtype
    assert (after == 0).all()


def test_channels_last_batches_are_hidden_all_the_same():
    batches = []
    for form in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        inputs = ones().to(memory_format=form)
        batches.append(BatchHideAndSeek([8])(inputs)[0])
    assert torch.equal(*batches)


def test_a_large_batch_is_hidden_in_pieces_as_in_one(monkeypatch):
    batches = []
    for pixels in (2**30, 1):
        monkeypatch.setattr(
            'mmocc.models.hide_and_seek.batch_hide_and_seek.CACHED_PIXELS',
            pixels,
        )
        torch.manual_seed(0)
        batches.append(BatchHideAndSeek()(ones(5))[0])
    assert torch.equal(*batches)


@pytest.mark.parametrize('sizes', [None, [(20, 30)] * 4])
def test_nothing_is_fetched_from_the_device(sizes):
    # Tensors on the meta device have no values: whatever needs one raises.
    layer = BatchHideAndSeek().to('meta')
    with pytest.raises(RuntimeError, match=r'(?i)meta'):
        ones(device='meta').sum().item()
    after, _ = layer(ones(device='meta'), sizes=sizes)
    assert after.shape == (4, 3, 50, 70)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_is_never_waited_for():
    layer, inputs = BatchHideAndSeek([8], 1.0).cuda(), ones().cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        after, _ = layer(inputs, sizes=[(20, 70)] * 4)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert (after[:, :, :20] == 0).all()
    assert (after[:, :, 20:] == 1).all()


def test_mmdet_takes_it_as_a_batch_augmentation():
    pytest.importorskip('mmdet')
    from mmdet.structures import DetDataSample

    with DefaultScope.overwrite_default_scope('mmdet'):
        preprocessor = MODELS.build(
            dict(
                type='mmdet.DetDataPreprocessor',
                mean=[100.0] * 3,
                std=[50.0] * 3,
                pad_size_divisor=32,
                pad_value=7,
                batch_augments=[
                    dict(
                        type='mmocc.BatchHideAndSeek',
                        grid_sizes=[8],
                        hide_prob=1.0,
                    )
                ],
            )
        )
    shapes = [(30, 40), (50, 20)]
    for training in (True, False):
        data = dict(
            inputs=[
                torch.full((3, *s), 200, dtype=torch.uint8) for s in shapes
            ],
            data_samples=[
                DetDataSample(metainfo=dict(img_shape=s)) for s in shapes
            ],
        )
        batch = preprocessor(data, training)['inputs']
        assert batch.shape == (2, 3, 64, 64)
        for image, (h, w) in zip(batch, shapes, strict=True):
            assert (image[:, :h, :w] == (0 if training else 2)).all()
            assert (image[:, h:] == 7).all()
            assert (image[:, :, w:] == 7).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(grid_sizes=[-4]), r'whole numbers.*\[-4\]'),
        (dict(hide_prob=2), 'in .0, 1., got 2'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchHideAndSeek(**arguments)


def test_raw_images_and_a_wrong_number_of_sizes_are_refused():
    with pytest.raises(ValueError, match=r'uint8.*normalise'):
        BatchHideAndSeek()(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match='1 image sizes for a batch of 4'):
        BatchHideAndSeek([8])(ones(), sizes=[(8, 8)])
