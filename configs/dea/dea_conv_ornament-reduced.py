"""Stage 2 of DEA for a CPU, with a small convolutional decoder.

First train dea_detector_ornament-reduced.py. Pictures of 64 pixels, and a
larger rate that falls to 0, because there are fewer steps than in the paper.
"""

_base_ = [
    '../_base_/models/ssd_r18_small.py',
    '../_base_/datasets/ornament_pages_reduced.py',
    '../_base_/dea_stage2.py',
]

# ------------------------------------------------ things you will change
load_from = 'work_dirs/dea_detector_ornament-reduced/epoch_30.pth'
max_epochs = 24
lr = 1e-3  # for 8 pages a step
confidence = 0.001  # the paper's P: detections below are not redrawn

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.DEA',
    frozen_detector=True,
    jitter=0.05,
    roi_extractor=dict(
        type='mmocc.PriorLevelRoIExtractor',
        in_channels=[64, 128, 256],
        featmap_strides=[8, 16, 32],
        out_channels=128,
        output_size=8,
        sampling_ratio=0,
        rule='own_level',  # the paper's; conv4_3 and size are others
        finest_scale=30,
    ),
    decoder=dict(
        type='mmocc.ConvDecoder',
        in_channels=128,
        roi_size=8,
        widths=(40, 16, 8),
    ),
    # The paper's score, which decides. Others cost time: pearson,
    # mse, ssim, latent, confidence, and their fusions zscore and rank.
    judge=dict(scores=('pearson',), anomaly_score='pearson'),
    # One box for each object, whatever its classes.
    test_cfg=dict(
        score_thr=confidence,
        nms=dict(type='nms', iou_threshold=0.45, class_agnostic=True),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
