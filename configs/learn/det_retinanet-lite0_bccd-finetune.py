"""The control of LEARN: the same RetinaNet, fine-tuned on the same twins.

All of it trains that trained in phase 1, by the detector's own losses.
"""

_base_ = './det_retinanet-lite0_bccd-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/det_retinanet-lite0_bccd-baseline/epoch_8.pth'
baseline_config = 'configs/learn/det_retinanet-lite0_bccd-baseline.py'
occluders = 'data/occluders/train'
max_epochs = 4  # as long as LEARN takes for 6
lr = 3e-4  # a third of phase 1's

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.OcclusionAugDetector',
    detector='RetinaNet',
    occluder=dict(
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
    ),
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
