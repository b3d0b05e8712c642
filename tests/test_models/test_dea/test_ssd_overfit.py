"""A tiny SSD learns eight pages by heart, with each loss of boxes."""

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmdet.evaluation import eval_map
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from tiny_ssd import TEST, TRAIN

SIDE = 64
CLASSES = 3
PAGES = 8
STEPS = 150
LOSSES = {
    'l1': dict(),
    **{
        name.lower(): dict(
            reg_decoded_bbox=True,
            loss_bbox=dict(type=f'mmocc.{name}Loss', loss_weight=10.0),
        )
        for name in ('GIoU', 'DIoU', 'EIoU')
    },
}


def draw_page(rng):
    """Draw one sign in each of three cells of four; return boxes, labels."""
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    boxes, labels = [], []
    for cell in rng.choice(4, 3, replace=False):
        side = rng.integers(12, 28)
        left, top = 32 * np.array([cell % 2, cell // 2]) + rng.integers(
            0, 32 - side, 2
        )
        right, bottom = left + side - 1, top + side - 1
        label = rng.integers(CLASSES)
        if label == 0:
            cv2.rectangle(page, (left, top), (right, bottom), (0, 0, 0), -1)
        elif label == 1:
            cv2.rectangle(page, (left, top), (right, bottom), (0, 0, 0), 3)
        else:
            cv2.line(page, (left, top), (right, bottom), (0, 0, 0), 3)
            cv2.line(page, (right, top), (left, bottom), (0, 0, 0), 3)
        boxes.append([left, top, left + side, top + side])
        labels.append(label)
    return page, np.array(boxes, np.float32), np.array(labels)


def pages():
    """Return a batch of pages, as a data loader does."""
    rng = np.random.default_rng(0)
    inputs, samples = [], []
    for index in range(PAGES):
        page, boxes, labels = draw_page(rng)
        meta = dict(
            img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE), img_id=index
        )
        sample = DetDataSample(metainfo=dict(meta, scale_factor=(1.0, 1.0)))
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes), labels=torch.tensor(labels)
        )
        inputs.append(torch.from_numpy(page).permute(2, 0, 1).contiguous())
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def build(loss):
    """Return an SSD of 0.2 M parameters."""
    config = dict(
        type='SingleStageDetector',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3
        ),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=8,
            stem_channels=8,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(1, 2),
            norm_eval=False,
        ),
        bbox_head=dict(
            type='mmocc.SSDIoUHead',
            num_classes=CLASSES,
            in_channels=(16, 32),
            anchor_generator=dict(
                type='SSDAnchorGenerator',
                scale_major=False,
                strides=[8, 16],
                ratios=[[2], [2]],
                min_sizes=[12, 20],
                max_sizes=[20, 30],
            ),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[0.1, 0.1, 0.2, 0.2],
            ),
            **LOSSES[loss],
        ),
        train_cfg=TRAIN,
        test_cfg=ConfigDict(TEST),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config)


def ap(model, data, iou):
    """Return the AP at an IoU on these pages."""
    model.eval()
    with torch.no_grad():
        found = model.test_step(data)
    answers, truth = [], []
    for sample in found:
        pred = sample.pred_instances.numpy()
        rows = np.hstack([pred.bboxes, pred.scores[:, None]])
        answers.append([rows[pred.labels == k] for k in range(CLASSES)])
        gt = sample.gt_instances.numpy()
        truth.append(dict(bboxes=gt.bboxes, labels=gt.labels))
    mean, _ = eval_map(answers, truth, iou_thr=iou, logger='silent', nproc=1)
    return mean


@pytest.mark.parametrize('loss', LOSSES)
def test_eight_pages_are_learnt_by_heart(loss):
    torch.manual_seed(0)
    data = pages()
    model = build(loss)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=3e-3, total_steps=STEPS
    )
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=35))
    before = ap(model, data, 0.5)
    model.train()
    for _ in range(STEPS):
        model.train_step(data, wrapper)
        schedule.step()
    assert before < 0.5
    assert ap(model, data, 0.5) >= 0.95
    assert ap(model, data, 0.75) >= 0.9
