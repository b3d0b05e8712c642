"""LEARN for mmpretrain's ConvNeXt-Tiny of ImageNet."""

_base_ = 'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py'
custom_imports = dict(imports=['mmocc'], allow_failed_imports=False)

# ------------------------------------------------ things you will change
# Your trained classifier: mmpretrain's weights, or a checkpoint of your own.
load_from = 'https://download.openmmlab.com/mmclassification/v0/convnext/convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth'
max_epochs = 5  # only LEARN trains

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    # This backbone pools its map, and the classifier has no neck: LEARN
    # reads vectors of 768 numbers as maps of one cell.
    neck=dict(type='mmocc.LEARN', in_channels=768),
    train_cfg=None,  # no Mixup and CutMix: LEARN needs one label per image
    init_cfg=None,  # the classifier's is not for LEARN
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
custom_hooks = [dict(type='mmocc.EpochSeedHook')]  # and no EMAHook
train_dataloader = dict(
    persistent_workers=False,
    dataset=dict(
        # RandomErasing would hide parts of the clean images.
        pipeline=[
            step
            for step in _base_.train_pipeline
            if step['type'] != 'RandomErasing'
        ]
    ),
)
auto_scale_lr = dict(base_batch_size=256)  # what LEARN's lr is for
