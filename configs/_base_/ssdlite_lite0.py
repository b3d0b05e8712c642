"""SSDLite on a pretrained trunk: all that a config of own data inherits."""

_base_ = [
    './models/ssdlite_lite0.py',
    './datasets/own_boxes.py',
    './det_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 30
lr = 1e-3  # for 8 images a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
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
