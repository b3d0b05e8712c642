"""Our box losses: a step in mmdet's heads; SSD learns pages by heart."""

import numpy as np
import pytest
import torch
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from mmdet.evaluation import eval_map
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope

LOSSES = ('EIoULoss', 'FocalEIoULoss')
STEPS = 150
EIOU = dict(type='mmocc.EIoULoss', loss_weight=10.0)
BY_HEART = dict(l1={}, eiou=dict(reg_decoded_bbox=True, loss_bbox=EIOU))


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


def build(loss):
    """Return the detector of the toy DEA, with a loss of boxes."""
    cfg = ConfigDict(toy_dea.MODEL)
    cfg.type = 'mmdet.SingleStageDetector'
    del cfg.roi_extractor, cfg.decoder
    cfg.bbox_head.update(BY_HEART[loss])
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg)


def ap(model, data, iou):
    """Return the AP at an IoU on these pages."""
    classes = range(len(toy_dea.CLASSES))
    answers, truth = [], []
    for sample in toy_dea.predict(model, data):
        pred = sample.pred_instances.numpy()
        rows = np.hstack([pred.bboxes, pred.scores[:, None]])
        answers.append([rows[pred.labels == k] for k in classes])
        gt = sample.gt_instances.numpy()
        truth.append(dict(bboxes=gt.bboxes, labels=gt.labels))
    mean, _ = eval_map(answers, truth, iou_thr=iou, logger='silent', nproc=1)
    return mean


@pytest.mark.parametrize('loss', BY_HEART)
def test_four_pages_are_learnt_by_heart(loss):
    data = toy_dea.batch()
    model = build(loss)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=3e-3, total_steps=STEPS
    )
    assert ap(model, data, 0.5) < 0.5
    model.train()
    for _ in range(STEPS):
        toy_dea.step(model, data, optimizer)
        schedule.step()
    assert ap(model, data, 0.5) >= 0.95
    assert ap(model, data, 0.75) >= 0.9
