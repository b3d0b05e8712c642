"""Stage 1 of DEA for a CPU: a small SSD with DIoU on pages of 320 pixels.

Data: tools/dataset_converters/make_ornament_pages.py --reduced; see
docs/dea_data.md.
"""

_base_ = [
    '../_base_/models/ssd_r18_small.py',
    '../_base_/datasets/ornament_pages_reduced.py',
    '../_base_/dea_stage1.py',
]

# ------------------------------------------------ things you will change
max_epochs = 30
lr = 1e-3  # for 8 pages a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
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
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
