"""Phase 2 of LEARN on CIFAR-10: the frozen ResNet-18 of phase 1."""

_base_ = './resnet18_cifar10-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet18_cifar10-baseline/epoch_30.pth'
baseline_config = 'configs/learn/resnet18_cifar10-baseline.py'
occluders = 'data/occluders/train'
max_epochs = 4
lr = 2e-3  # for 128 images a step

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    neck=[
        dict(type='mmocc.LEARN', in_channels=256),
        dict(type='GlobalAveragePooling'),
    ],
    occluder=dict(
        type='mmocc.BatchOccluder',
        kinds=('texture', 'object'),
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        texture_size=64,
    ),
)
optim_wrapper = dict(
    _delete_=True,
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
