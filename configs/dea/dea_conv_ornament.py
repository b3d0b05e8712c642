"""Stage 2 of DEA, the paper's size, with the small convolutional decoder.

First train dea_detector_ornament.py. HAL hal-03409930, section III-B: MSE,
Adam at a fixed 1e-4, 30 epochs, the detector frozen. The paper finds a
correlation of 0.86 +- 0.11 for objects of the dictionary and 0.16 +- 0.12 for
others, at a confidence of 0.001, with its fully connected decoder
(dea_fc_ornament.py).
"""

_base_ = [
    '../_base_/models/ssd300_ornament.py',
    '../_base_/datasets/ornament_pages.py',
    '../_base_/dea_stage2.py',
]

# ------------------------------------------------ things you will change
load_from = 'work_dirs/dea_detector_ornament/epoch_60.pth'
max_epochs = 30
lr = 1e-4  # for 8 pages a step
confidence = 0.001  # the paper's P: detections below are not redrawn

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.DEA',
    frozen_detector=True,
    jitter=0.05,
    roi_extractor=dict(
        type='mmocc.PriorLevelRoIExtractor',
        in_channels=[512, 1024, 512, 256, 256, 256],
        featmap_strides=[8, 16, 32, 64, 100, 300],
        out_channels=256,
        output_size=8,
        sampling_ratio=0,
        rule='own_level',  # the paper's; conv4_3 and size are others
    ),
    decoder=dict(type='mmocc.ConvDecoder', in_channels=256, roi_size=8),
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
param_scheduler = []
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
