"""SSDLite with half a MobileNetV2 on BCCD, smooth-L1 of deltas.

Inputs of 320 x 320 pixels; maps of 20, 10, 5, 3, 2 and 1 cells a side.
"""

_base_ = [
    '../_base_/datasets/bccd_det.py',
    '../_base_/det_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 30
lr = 1e-3  # for 8 images a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=60),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
# A batch of one image stops in the batch norm of the map of one cell.
train_dataloader = dict(drop_last=True)

# ------------------------------------------------- the network
num_classes = 3

model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        type='MobileNetV2',
        widen_factor=0.5,
        out_indices=(4, 7),
        norm_cfg=dict(type='BN', eps=0.001, momentum=0.03),
        init_cfg=dict(type='Kaiming', layer='Conv2d'),
    ),
    neck=dict(
        type='SSDNeck',
        in_channels=(48, 1280),
        out_channels=(48, 1280, 256, 128, 128, 64),
        level_strides=(2, 2, 2, 2),
        level_paddings=(1, 1, 1, 1),
        l2_norm_scale=None,
        use_depthwise=True,
        norm_cfg=dict(type='BN', eps=0.001, momentum=0.03),
        act_cfg=dict(type='ReLU6'),
        init_cfg=dict(type='Kaiming', layer='Conv2d'),
    ),
    bbox_head=dict(
        type='mmocc.SSDIoUHead',
        in_channels=(48, 1280, 256, 128, 128, 64),
        num_classes=num_classes,
        use_depthwise=True,
        norm_cfg=dict(type='BN', eps=0.001, momentum=0.03),
        act_cfg=dict(type='ReLU6'),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[16, 32, 64, 107, 160, 320],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2, 3], [2, 3]],
            # from a platelet to the largest white cell
            min_sizes=[20, 45, 80, 130, 190, 250],
            max_sizes=[45, 80, 130, 190, 250, 310],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[0.1, 0.1, 0.2, 0.2],
        ),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            min_pos_iou=0.0,
            ignore_iof_thr=-1,
            gt_max_assign_all=False,
        ),
        sampler=dict(type='PseudoSampler'),
        smoothl1_beta=1.0,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        nms=dict(type='nms', iou_threshold=0.45),
        min_bbox_size=0,
        score_thr=0.02,
        max_per_img=200,
    ),
)
