"""A small DEA, and pages of a few marks for it."""

import copy

import torch
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

SIDE = 96
CLASSES = ('bar', 'cross', 'ring')
MODEL = dict(
    type='mmocc.DEA',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[127.5] * 3,
        std=[64.0] * 3,
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        stem_channels=8,
        base_channels=8,
        out_indices=(1, 2, 3),
        norm_eval=False,
    ),
    bbox_head=dict(
        type='mmocc.SSDIoUHead',
        num_classes=len(CLASSES),
        in_channels=[16, 32, 64],
        anchor_generator=dict(
            type='mmdet.SSDAnchorGenerator',
            scale_major=False,
            input_size=SIDE,
            min_sizes=[20, 32, 48],
            max_sizes=[32, 48, 72],
            strides=[8, 16, 32],
            ratios=[[2], [2], [2]],
        ),
        bbox_coder=dict(
            type='mmdet.DeltaXYWHBBoxCoder',
            target_means=[0.0] * 4,
            target_stds=[0.1, 0.1, 0.2, 0.2],
        ),
    ),
    roi_extractor=dict(
        type='mmocc.PriorLevelRoIExtractor',
        in_channels=[16, 32, 64],
        featmap_strides=[8, 16, 32],
        out_channels=32,
        output_size=4,
    ),
    decoder=dict(
        type='mmocc.ConvDecoder',
        in_channels=32,
        roi_size=4,
        widths=(24, 12, 8),
    ),
    train_cfg=dict(
        assigner=dict(
            type='mmdet.MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            min_pos_iou=0.0,
            ignore_iof_thr=-1,
            gt_max_assign_all=False,
        ),
        sampler=dict(type='mmdet.PseudoSampler'),
        smoothl1_beta=1.0,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=300,
        nms=dict(type='nms', iou_threshold=0.45, class_agnostic=True),
        min_bbox_size=0,
        score_thr=0.02,
        max_per_img=20,
    ),
)


def build(seed=0, **options):
    """Return the model, with other arguments where they are given."""
    register_all_modules(init_default_scope=False)
    cfg = Config(dict(model=copy.deepcopy(MODEL)))
    cfg.merge_from_dict(dict(model=options))
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    return model


def mark(kind, side):
    """Return a (side, side) mark, True where there is ink."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing='ij')
    if kind == 0:
        return x.abs() < 0.4
    if kind == 1:
        return (x.abs() < 0.3) | (y.abs() < 0.3)
    radius = x.hypot(y)
    return (radius < 1) & (radius > 0.5)


def page(objects, side=SIDE, scale=1.0):
    """Draw a page of (kind, left, top, side) marks, and its data sample."""
    image = torch.full((3, side, side), 255, dtype=torch.uint8)
    boxes, labels = [], []
    for kind, left, top, size in objects:
        ink = mark(kind, size)
        image[:, top : top + size, left : left + size][:, ink] = 0
        boxes.append([left, top, left + size, top + size])
        labels.append(kind)
    sample = DetDataSample(
        metainfo=dict(
            img_path=f'page{len(objects)}.png',
            img_shape=(side, side),
            ori_shape=(round(side / scale),) * 2,
            scale_factor=(scale, scale),
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().view(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
    )
    sample.ignored_instances = sample.gt_instances[:0]
    return image, sample


PAGES = (
    [(0, 6, 8, 30), (1, 56, 10, 24), (2, 30, 54, 36)],
    [(2, 10, 50, 28), (0, 50, 6, 40)],
    [(1, 8, 8, 40), (1, 60, 60, 26)],  # twice one class
    [(2, 4, 4, 44), (1, 56, 8, 30), (0, 12, 60, 26)],
)


def batch(pages=PAGES, **options):
    """Return pages as a dataloader gives them."""
    images, samples = zip(*(page(p, **options) for p in pages), strict=True)
    return dict(inputs=list(images), data_samples=list(samples))


def step(model, data, optimizer=None):
    """Return the losses of a batch; with an optimizer, learn from it."""
    data = model.data_preprocessor(copy.deepcopy(data), True)
    losses = model(**data, mode='loss')
    if optimizer is not None:
        optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        optimizer.step()
    return losses


def predict(model, data):
    """Return the predicted samples of a batch."""
    model.eval()
    with torch.no_grad():
        return model.test_step(copy.deepcopy(data))
