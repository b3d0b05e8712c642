"""LEARN for mmpretrain's ResNeXt-50 of ImageNet."""

_base_ = 'mmpretrain::resnext/resnext50-32x4d_8xb32_in1k.py'
custom_imports = dict(imports=['mmocc'], allow_failed_imports=False)

# ------------------------------------------------ things you will change
# Your trained classifier: mmpretrain's weights, or a checkpoint of your own.
load_from = 'https://download.openmmlab.com/mmclassification/v0/resnext/resnext50_32x4d_b32x8_imagenet_20210429-56066e27.pth'
max_epochs = 5  # only LEARN trains

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    # LEARN first, then the neck that the classifier has.
    neck=[
        dict(type='mmocc.LEARN', in_channels=2048),
        dict(type='GlobalAveragePooling'),
    ],
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

# A resumed run gives the same as an uninterrupted one.
randomness = dict(seed=0)
custom_hooks = [dict(type='mmocc.EpochSeedHook')]
train_dataloader = dict(persistent_workers=False)
