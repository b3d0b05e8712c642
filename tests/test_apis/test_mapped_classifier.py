"""Maps of any classifier reach the metrics."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.utils.cell_grid import CellGrid

VIT = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=8
        ),
        img_size=64,
        patch_size=16,
        out_type='avg_featmap',
    ),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=8),
)
RESNET = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, stem_channels=4, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=32),
)


def build(model, **options):
    cfg = dict(type='mmocc.MappedClassifier', model=model, **options)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        return MODELS.build(copy.deepcopy(cfg)).eval()


def samples():
    return [DataSample().set_gt_label(label) for label in (0, 2)]


def test_cam_by_the_linear_layer_has_the_cells_of_the_network():
    mapped = build(RESNET, method='cam')
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found = mapped(images, samples(), 'predict')
        feats = mapped.model.backbone(images)[-1]
        weight = mapped.model.head.fc.weight
    for index, sample in enumerate(found):
        label = int(sample.gt_label)
        expected = torch.einsum('c,chw->hw', weight[label], feats[index])
        torch.testing.assert_close(sample.gt_cam, expected)
        assert CellGrid(*sample.map_cells).first == pytest.approx(
            (0.5 / 64,) * 2
        )
        assert sample.pred_cam.shape == (2, 2)
    scores = mapped(images)
    torch.testing.assert_close(scores, mapped.model(images))


def test_the_classifiers_own_checkpoint_fills_it():
    source = build(RESNET).model
    with torch.no_grad():
        source.head.fc.weight.add_(1)
    mapped = build(RESNET, maps=('gt',))
    mapped.load_state_dict(source.state_dict())
    for a, b in zip(mapped.parameters(), source.parameters(), strict=True):
        assert torch.equal(a, b)
    mapped.load_state_dict(build(RESNET).state_dict())
    with pytest.raises(ValueError, match='all'):
        build(RESNET, maps=('all',))
    with pytest.raises(ValueError, match='unknown method'):
        build(RESNET, method='magic')


def test_tokens_have_maps_that_lie_evenly():
    pytest.importorskip('pytorch_grad_cam')
    mapped = build(VIT, method='gradcam')
    with torch.no_grad():
        found = mapped(torch.rand(2, 3, 64, 64), samples(), 'predict')
    for sample in found:
        assert sample.gt_cam.shape == (64, 64)
        assert sample.gt_cam.isfinite().all()
        even = CellGrid.even((64, 64))
        assert CellGrid(*sample.map_cells).first == pytest.approx(even.first)
        assert CellGrid(*sample.map_cells).step == pytest.approx(even.step)
