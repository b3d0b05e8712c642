"""DEA trained in one go, for a CPU: beyond the paper.

Schedule and data are those of dea_detector_ornament-reduced.py.
"""

_base_ = './dea_conv_ornament-reduced.py'

load_from = None
max_epochs = 30
lr = 1e-3  # for 8 pages a step

model = dict(frozen_detector=False)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
