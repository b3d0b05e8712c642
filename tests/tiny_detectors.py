"""Small detectors of mmdet, trained on nothing, and images for them."""

import copy

import torch
import toy_dea
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

CLASSES = 3
WIDTH = 16  # channels of the pyramid
SIZE = (64, 96)
STRIDES = [8, 16, 32]
BACKBONE = dict(
    type='ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(1, 2, 3),
    norm_eval=False,
)
NECK = dict(
    type='FPN', in_channels=[16, 32, 64], out_channels=WIDTH, num_outs=3
)
CODER = dict(
    type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[1.0] * 4
)
ANCHORS = dict(
    type='AnchorGenerator',
    octave_base_scale=4,
    scales_per_octave=1,
    ratios=[1.0],
    strides=STRIDES,
)
L1 = dict(type='L1Loss')
ENTROPY = dict(type='CrossEntropyLoss', use_sigmoid=True)
NMS = dict(type='nms', iou_threshold=0.5)
ASSIGN = dict(type='MaxIoUAssigner', min_pos_iou=0.0, ignore_iof_thr=-1)
ASSIGN.update(pos_iou_thr=0.5, neg_iou_thr=0.4)
ONE_STAGE = dict(
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[10.0, 20.0, 30.0],
        std=[50.0, 60.0, 70.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=BACKBONE,
    neck=NECK,
    train_cfg=dict(
        assigner=ASSIGN,
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=50,
        min_bbox_size=0,
        score_thr=0.0,
        nms=NMS,
        max_per_img=10,
    ),
)
HEAD = dict(
    num_classes=CLASSES,
    in_channels=WIDTH,
    stacked_convs=1,
    feat_channels=WIDTH,
)
RETINA = dict(
    ONE_STAGE,
    type='RetinaNet',
    bbox_head=dict(
        HEAD,
        type='RetinaHead',
        anchor_generator=ANCHORS,
        bbox_coder=CODER,
        norm_cfg=dict(type='BN'),
        loss_bbox=L1,
    ),
)
FCOS = dict(
    ONE_STAGE,
    type='FCOS',
    bbox_head=dict(
        HEAD,
        type='FCOSHead',
        strides=STRIDES,
        norm_cfg=None,
        norm_on_bbox=True,  # where a head computes otherwise in training
        regress_ranges=((-1, 32), (32, 64), (64, 1e8)),
    ),
)
SSD = dict(
    ONE_STAGE,
    type='SingleStageDetector',
    neck=None,
    bbox_head=dict(
        type='SSDHead',
        num_classes=CLASSES,
        in_channels=[16, 32, 64],
        anchor_generator=toy_dea.MODEL['bbox_head']['anchor_generator'],
        bbox_coder=CODER,
    ),
    train_cfg=toy_dea.MODEL['train_cfg'],
)
SSD_IOU = dict(
    SSD,
    bbox_head=dict(
        SSD['bbox_head'],
        type='mmocc.SSDIoUHead',
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.DIoULoss'),
    ),
)
ROI = dict(
    type='SingleRoIExtractor',
    roi_layer=dict(type='RoIAlign', output_size=4, sampling_ratio=0),
    out_channels=WIDTH,
    featmap_strides=STRIDES,
)
SAMPLER = dict(
    type='RandomSampler',
    num=16,
    pos_fraction=0.5,
    neg_pos_ub=-1,
    add_gt_as_proposals=True,
)
STAGE = dict(assigner=ASSIGN, sampler=SAMPLER, pos_weight=-1, debug=False)
FASTER = dict(
    ONE_STAGE,
    type='FasterRCNN',
    rpn_head=dict(
        type='RPNHead',
        in_channels=WIDTH,
        feat_channels=WIDTH,
        anchor_generator=ANCHORS,
        bbox_coder=CODER,
        loss_cls=ENTROPY,
        loss_bbox=L1,
    ),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=ROI,
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=WIDTH,
            fc_out_channels=16,
            roi_feat_size=4,
            num_classes=CLASSES,
            bbox_coder=CODER,
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            STAGE,
            sampler=dict(SAMPLER, add_gt_as_proposals=False),
            allowed_border=-1,
        ),
        rpn_proposal=dict(
            nms_pre=50, max_per_img=20, nms=NMS, min_bbox_size=0
        ),
        rcnn=dict(STAGE, mask_size=8),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=50, max_per_img=20, nms=NMS, min_bbox_size=0),
        rcnn=dict(score_thr=0.0, nms=NMS, max_per_img=10, mask_thr_binary=0.5),
    ),
)
MASK = dict(
    FASTER,
    type='MaskRCNN',
    roi_head=dict(
        FASTER['roi_head'],
        mask_roi_extractor=ROI,
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=1,
            in_channels=WIDTH,
            conv_out_channels=8,
            num_classes=CLASSES,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True),
        ),
    ),
)
DETECTORS = dict(
    retina=RETINA,
    fcos=FCOS,
    ssd=SSD,
    ssd_iou=SSD_IOU,
    faster=FASTER,
    mask=MASK,
)


def build(cfg, seed=0, **changes):
    """Build a detector of random weights, the same for each seed."""
    register_all_modules(init_default_scope=False)
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(ConfigDict(copy.deepcopy(dict(cfg, **changes))))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # not those of a start
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if type(module).__name__ == 'SSDHead' and not hasattr(
            module, 'loss_cls'
        ):
            module.loss_cls = None  # mmdet 3.3 to 3.5 fails to predict else
    return model


def learning(cfg, **changes):
    """Return the config of LEARN in a detector."""
    return dict(
        cfg, type='mmocc.LEARNDetector', detector=cfg['type'], **changes
    )


def sample(boxes, size=SIZE, seed=0):
    """Return the sample of an image with these boxes, and masks in them."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    masks = torch.zeros(len(boxes), *size, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int(), strict=True):
        mask[y1:y2, x1:x2] = 1
    one = DetDataSample(
        metainfo=dict(
            img_shape=size,
            ori_shape=size,
            pad_shape=size,
            batch_input_shape=size,
            scale_factor=(1.0, 1.0),
        )
    )
    one.gt_instances = InstanceData(
        bboxes=boxes,
        labels=(torch.arange(len(boxes)) + seed) % CLASSES,
        masks=BitmapMasks(masks.numpy(), *size),
    )
    one.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    return one


def batch(size=SIZE, seed=0):
    """Return three images, of two objects, none and one, and their samples."""
    generator = torch.Generator().manual_seed(seed)
    boxes = [[2, 3, 30, 40], [40, 8, 60, 30]], [], [[20, 10, 50, 50]]
    inputs = torch.randn(3, 3, *size, generator=generator)
    return inputs, [sample(rows, size) for rows in boxes]
