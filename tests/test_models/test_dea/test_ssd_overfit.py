"""A tiny SSD learns four pages by heart, with two kinds of box losses."""

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import numpy as np
import toy_dea
from mmdet.evaluation import eval_map
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope

STEPS = 150
LOSSES = dict(
    l1=dict(),
    eiou=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.EIoULoss', loss_weight=10.0),
    ),
)


def build(loss):
    """Return the detector of the toy DEA, with a loss of boxes."""
    cfg = ConfigDict(toy_dea.MODEL)
    cfg.type = 'mmdet.SingleStageDetector'
    del cfg.roi_extractor, cfg.decoder
    cfg.bbox_head.update(LOSSES[loss])
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


@pytest.mark.parametrize('loss', LOSSES)
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
