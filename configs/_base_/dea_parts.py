"""A run of DEA on images of one part: both stages together."""

_base_ = './det_runtime.py'

# ------------------------------------------------ things you will change
max_epochs = 20
lr = 1e-3  # for 8 images a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=35, norm_type=2),
    constructor='mmocc.TrainableOptimWrapperConstructor',
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    )
]
# No validation: the held-back images only tell what is normal.
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_begin=10**6)
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.AnomalyReferenceHook'),
]
