"""Phase 2: LEARN between the neck and the heads of the frozen RetinaNet."""

_base_ = './det_retinanet-lite0_bccd-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/det_retinanet-lite0_bccd-baseline/epoch_8.pth'
baseline_config = 'configs/learn/det_retinanet-lite0_bccd-baseline.py'
occluders = 'data/occluders/train'
max_epochs = 6
lr = 2e-3  # for 4 images a step, and their 4 twins

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNDetector',
    detector='RetinaNet',
    learn=dict(residual=True),  # starts from the maps as they are
    occluder=dict(
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
    ),
)
optim_wrapper = dict(
    _delete_=True,  # the detector's own, made for all parameters
    type='OptimWrapper',
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
