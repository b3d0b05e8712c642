"""Our box losses in mmdet's heads: one step of two detectors."""

import pytest
import torch
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope

LOSSES = ('EIoULoss', 'FocalEIoULoss')


def small_resnet(cfg):
    cfg.backbone.update(
        depth=18, base_channels=8, stem_channels=8, init_cfg=None
    )
    return [8, 16, 32, 64]


def retinanet(**boxes):
    base = ROOT / 'configs/_base_/models/retinanet_r18_small.py'
    cfg = Config.fromfile(base).model
    cfg.neck.in_channels = small_resnet(cfg)[1:]
    cfg.bbox_head.update(boxes)
    return cfg


def faster_rcnn(**boxes):
    cfg = get_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py').model
    cfg.neck.update(in_channels=small_resnet(cfg), out_channels=16)
    cfg.rpn_head.update(in_channels=16, feat_channels=16, **boxes)
    cfg.roi_head.bbox_roi_extractor.out_channels = 16
    cfg.roi_head.bbox_head.update(
        in_channels=16, fc_out_channels=16, num_classes=3, **boxes
    )
    return cfg


@pytest.mark.parametrize('detector', [retinanet, faster_rcnn])
@pytest.mark.parametrize('name', LOSSES)
def test_a_detector_of_mmdet_learns_from_decoded_boxes(name, detector):
    loss = dict(type=f'mmocc.{name}', loss_weight=10.0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        cfg = detector(reg_decoded_bbox=True, loss_bbox=loss)
        torch.manual_seed(0)
        model = MODELS.build(cfg).train()
        # A page with three objects, and one with none.
        losses = toy_dea.step(model, toy_dea.batch([toy_dea.PAGES[0], []]))
    parts = [
        sum(value) if isinstance(value, list) else value
        for key, value in losses.items()
        if 'bbox' in key
    ]
    assert len(parts) == (1 if detector is retinanet else 2)
    assert all(part.isfinite() for part in parts)
    assert sum(parts) > 0
    sum(parts).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    assert any(grad.any() for grad in grads)
