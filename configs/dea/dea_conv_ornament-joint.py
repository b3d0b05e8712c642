"""DEA trained in one go, the paper's size: beyond the paper.

The paper states that detector and decoder can be trained together, but did
not do so. Schedule and data are those of dea_detector_ornament.py.
"""

_base_ = './dea_conv_ornament.py'

load_from = None
max_epochs = 60
lr = 1e-4  # for 8 pages a step

model = dict(frozen_detector=False)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=lr),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=500),
    dict(type='MultiStepLR', milestones=[40, 55], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
