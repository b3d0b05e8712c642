"""SSD's head, mmdet's and ours, and random predictions and objects for it."""

import torch
import toy_dea
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

CLASSES = 5
SIZES = (12, 6, 3, 2)  # of the maps of an input of 96 x 96 pixels
SIDE = 96
TRAIN = toy_dea.MODEL['train_cfg']
NMS = dict(type='nms', iou_threshold=0.45)
TEST = dict(toy_dea.MODEL['test_cfg'], nms_pre=50, nms=NMS)


def build_head(type='mmocc.SSDIoUHead', assigner=(), train=(), **kwargs):
    """Return a head of four levels; ``mmdet.SSDHead`` is the stock one."""
    register_all_modules(init_default_scope=False)
    changed = dict(TRAIN['assigner'], **dict(assigner))
    train_cfg = dict(dict(TRAIN, assigner=changed), **dict(train))
    config = dict(
        type=type,
        num_classes=CLASSES,
        in_channels=(8, 8, 8, 8),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[8, 16, 32, 48],
            ratios=[[2], [2, 3], [2, 3], [2]],
            min_sizes=[12, 24, 48, 72],
            max_sizes=[24, 48, 72, 96],
        ),
        bbox_coder=toy_dea.MODEL['bbox_head']['bbox_coder'],
        train_cfg=ConfigDict(train_cfg),
        test_cfg=ConfigDict(TEST),
        **kwargs,
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config)


def answers(head, batch, seed=0, scale=1.0):
    """Return random class scores and deltas of all levels, with gradient."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        values = scale * torch.randn(shape, generator=generator)
        return values.requires_grad_()

    levels = list(zip(head.num_base_priors, SIZES, strict=True))
    return [
        [draw(batch, num * channels, size, size) for num, size in levels]
        for channels in (CLASSES + 1, 4)
    ]


def objects(counts, seed=0, whole=False):
    """Return ground truth; ``whole`` corners give priors of equal IoUs."""
    generator = torch.Generator().manual_seed(seed)
    images = []
    for count in counts:
        low = 70 * torch.rand(count, 2, generator=generator)
        size = 6 + 60 * torch.rand(count, 2, generator=generator)
        boxes = torch.cat([low, (low + size).clamp(max=SIDE)], dim=1)
        if whole:
            boxes = (boxes / 4).round() * 4
        labels = torch.randint(CLASSES, (count,), generator=generator)
        images.append(InstanceData(bboxes=boxes, labels=labels))
    return images


def metas(batch, pad=None):
    """Return the meta values of images; ``pad``: (h, w) of each."""
    pad = pad or [(SIDE, SIDE)] * batch
    shapes = [dict(img_shape=shape, pad_shape=shape) for shape in pad]
    return [
        dict(shape, scale_factor=(1.0, 1.0), img_path=f'{index}.jpg')
        for index, shape in enumerate(shapes)
    ]
