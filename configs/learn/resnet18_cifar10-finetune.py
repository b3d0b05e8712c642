"""The control of LEARN on CIFAR-10: the same classifier, fine-tuned.

All of it trains on the same clean and occluded images, with cross-entropy.
"""

_base_ = './resnet18_cifar10-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet18_cifar10-baseline/epoch_30.pth'
baseline_config = 'configs/learn/resnet18_cifar10-baseline.py'
occluders = 'data/occluders/train'
max_epochs = 4
lr = 0.01  # a tenth of phase 1's

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.OcclusionAugClassifier',
    occluder=dict(
        type='mmocc.BatchOccluder',
        kinds=('texture', 'object'),
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        texture_size=64,
    ),
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
