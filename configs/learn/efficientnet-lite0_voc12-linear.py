"""Phase 1 of LEARN on 12 classes of VOC: a linear head on ImageNet features.

The backbone is frozen, and its features are computed once.
"""

_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/voc12_objects.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 30
lr = 1e-3  # for 64 images a step
features = 'work_dirs/efficientnet-lite0_voc12-features'

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.FrozenBackboneClassifier',
    clean_cache=features,
)
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
