"""Stage 1 of DEA, the paper's size: SSD300 with DIoU on ornament pages.

HAL hal-03409930, section III-B: from scratch, Adam at 1e-4, a tenth of that
once the loss falls by less than 2 %; here after fixed epochs, whose number
the paper does not state. Data: tools/dataset_converters/
make_ornament_pages.py; see docs/dea_data.md.
"""

_base_ = [
    '../_base_/models/ssd300_ornament.py',
    '../_base_/datasets/ornament_pages.py',
    '../_base_/dea_stage1.py',
]

# ------------------------------------------------ things you will change
max_epochs = 60
lr = 1e-4  # for 8 pages a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=lr),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=500),
    dict(type='MultiStepLR', milestones=[40, 55], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
