import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

from mmocc.registry import MODELS

MEAN, STD = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
HIDE = dict(type='mmocc.BatchHideAndSeek', grid_sizes=[8], hide_prob=1.0)


def build(**kwargs):
    cfg = dict(mean=MEAN, std=STD, hide=HIDE)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(cfg, type='mmocc.HidingDataPreprocessor', **kwargs)
        )


def batch(shapes=((16, 24), (16, 24))):
    return dict(
        inputs=[torch.zeros(3, *shape).byte() for shape in shapes],
        data_samples=[
            DataSample().set_gt_label(i) for i in range(len(shapes))
        ],
    )


def test_images_are_hidden_in_training_only_and_labels_stay_labels():
    preprocessor = build()
    data = preprocessor(batch(), True)
    assert (data['inputs'] == 0).all()
    for index, sample in enumerate(data['data_samples']):
        assert sample.gt_label.tolist() == [index]
        assert 'gt_score' not in sample
    plain = preprocessor(batch(), False)['inputs']
    expected = -torch.tensor(MEAN) / torch.tensor(STD)
    assert torch.allclose(plain, expected.view(1, 3, 1, 1).expand_as(plain))


def test_padding_does_not_change_whether_stacked_or_not():
    for shapes in (((16, 24), (10, 20)), ((16, 24), (16, 24))):
        data = batch(shapes)
        if shapes[0] == shapes[1]:  # as default_collate gives it
            data['inputs'] = torch.stack(data['inputs'])
        preprocessor = build(pad_size_divisor=32, pad_value=9)
        inputs = preprocessor(data, True)['inputs']
        assert inputs.shape[-2:] == (32, 32)
        for image, (h, w) in zip(inputs, shapes, strict=True):
            assert (image[:, :h, :w] == 0).all()
            assert (image[:, h:] == 9).all()
            assert (image[:, :, w:] == 9).all()


def test_mixing_augmentations_still_work():
    cutmix = dict(augments=dict(type='CutMix', alpha=1.0))
    data = build(num_classes=2, batch_augments=cutmix)(batch(), True)
    assert (data['inputs'] == 0).all()
    scores = torch.stack([s.gt_score for s in data['data_samples']])
    assert torch.allclose(scores.sum(dim=1), torch.ones(2))


def test_an_ordinary_config_needs_two_lines(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.model.data_preprocessor.update(
        type='mmocc.HidingDataPreprocessor', hide=HIDE
    )
    runner = Runner.from_cfg(cfg)
    batches = []
    runner.model.backbone.register_forward_pre_hook(
        lambda module, args: batches.append((module.training, args[0].clone()))
    )
    runner.train()
    assert [training for training, _ in batches] == [True] * 2 + [False] * 2
    for training, inputs in batches:
        assert (inputs == 0).all() == training


def test_a_batch_that_is_not_normalised_is_refused():
    with pytest.raises(ValueError, match='give it mean and std'):
        build(mean=None, std=None)
