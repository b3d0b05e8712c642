import numpy as np
import pytest
from mmcv.transforms import Compose

from mmocc.datasets.channel_stats import ChannelStats, cut_pipelines
from mmocc.datasets.transforms import Occlude


def test_streamed_statistics_are_those_of_all_pixels():
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (h, w, 3)).astype(dtype)
        for h, w, dtype in ((5, 9, 'u1'), (1, 1, 'u1'), (30, 20, 'f4'))
    ]
    first, *others = map(ChannelStats.of, images)
    total = sum(others, first)
    pixels = np.concatenate([image.reshape(-1, 3) for image in images])
    pixels = pixels.astype(np.float64)
    assert total.count == len(pixels) == 646
    assert np.allclose(total.mean, pixels.mean(axis=0), rtol=1e-12)
    assert np.allclose(total.std, pixels.std(axis=0), rtol=1e-12)
    # A small spread about a large mean is not lost.
    grey = np.full((10, 10), 1e6) + np.arange(100).reshape(10, 10) / 1e4
    total = ChannelStats.of(grey) + ChannelStats.of(grey)
    assert total.std == pytest.approx(grey.std(), rel=1e-4)
    with pytest.raises(ValueError, match=r'1 and of 3.*color_type'):
        total + ChannelStats.of(images[0])


def test_pipelines_end_before_packing_and_lose_hiding_steps():
    load, flip = dict(type='LoadImageFromFile'), dict(type='RandomFlip')
    inner = dict(
        type='CocoDataset',
        pipeline=[load, dict(type='mmocc.HideAndSeek'), flip],
    )
    pack = dict(type='mmdet.datasets.transforms.PackDetInputs')
    other = dict(type='VOC', pipeline=[load, dict(type=Occlude), pack])
    dataset = dict(
        type='MultiImageMixDataset',
        dataset=dict(type='ConcatDataset', datasets=[inner, other]),
        pipeline=[dict(type='RandomErasing'), flip, dict(type='PackInputs')],
    )
    cut, left_out = cut_pipelines(dataset)
    assert sorted(left_out) == [
        'Occlude', 'RandomErasing', 'mmocc.HideAndSeek',
    ]  # fmt: skip
    assert cut.pipeline == [flip]
    assert cut.dataset.datasets[0].pipeline == [load, flip]
    assert cut.dataset.datasets[1].pipeline == [load]
    assert len(dataset['pipeline']) == 3  # the config does not change
    assert len(inner['pipeline']) == 3


def test_hiding_inside_wrappers_is_left_out_and_named():
    flip = dict(type='RandomFlip', prob=0.5)
    hide = dict(type='mmocc.HideAndSeek')
    erase = dict(type='RandomErasing')
    pipeline = [
        dict(type='RandomApply', transforms=[flip, hide], prob=0.5),
        dict(type='RandomApply', transforms=hide, prob=0.5),
        dict(
            type='RandomChoice',
            transforms=[[flip, erase], hide, [flip]],
            prob=[0.2, 0.3, 0.5],
        ),
        dict(type='KeyMapper', transforms=[dict(type='Cutout'), flip]),
        dict(type='AutoAugment', policies=[[flip, dict(type='Cutout')]]),
        dict(type='PackInputs'),
    ]
    cut, left_out = cut_pipelines(dict(type='CIFAR10', pipeline=pipeline))
    assert left_out == [
        'mmocc.HideAndSeek', 'mmocc.HideAndSeek', 'RandomErasing',
        'mmocc.HideAndSeek', 'Cutout', 'Cutout',
    ]  # fmt: skip
    one, two, choice, mapper, augment = cut.pipeline
    assert one.transforms == [flip]
    assert two.transforms == []
    # As likely as before; what hid does nothing
    assert choice.transforms == [[flip], [], [flip]]
    assert choice.prob == [0.2, 0.3, 0.5]
    assert mapper.transforms == [flip]
    assert augment.policies == [[flip]]
    assert len(pipeline[0]['transforms']) == 2  # the config does not change
    Compose(cut.pipeline[:3])
