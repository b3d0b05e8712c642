"""Phase 2 of LEARN on the embedded digits: the frozen VGG-16 of phase 1."""

_base_ = './vgg16_digits-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/vgg16_digits-baseline/epoch_4.pth'
baseline_config = 'configs/learn/vgg16_digits-baseline.py'
occluders = 'data/digits_voc/occluders/train'
max_epochs = 4

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    neck=dict(type='mmocc.LEARN', in_channels=512),
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        texture_size=64,
    ),
)
optim_wrapper = dict(
    _delete_=True,  # the classifier's own, made for all parameters
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
