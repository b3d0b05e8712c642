"""SSDLite with half a MobileNetV2 on BCCD, smooth-L1 of deltas."""

_base_ = [
    '../_base_/models/ssdlite_mobilenetv2_small.py',
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
