"""LEARN for mmpretrain's ConvNeXt-Tiny of ImageNet: both configs joined."""

_base_ = [
    'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py',
    '../../_base_/learn.py',
]
custom_imports = dict(imports=['mmocc'], allow_failed_imports=False)

# ------------------------------------------------ things you will change
# Your trained classifier: mmpretrain's weights, or a checkpoint of your own.
load_from = 'https://download.openmmlab.com/mmclassification/v0/convnext/convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth'
max_epochs = 5  # only LEARN trains

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    # This backbone pools by itself, and the classifier has no neck: LEARN
    # sees vectors of 768 numbers, which it takes as maps of one cell.
    neck=dict(type='mmocc.LEARN', in_channels=768),
    train_cfg=None,  # no Mixup and CutMix: LEARN needs one label per image
    init_cfg=None,  # the frozen parts are loaded; LEARN starts as elsewhere
    occluder={{_base_.learn_occluder}},
    loss_rec={{_base_.learn_loss_rec}},
    loss_intra={{_base_.learn_loss_intra}},
    loss_inter={{_base_.learn_loss_inter}},
    loss_cls={{_base_.learn_loss_cls}},
)
optim_wrapper = {{_base_.learn_optim_wrapper}}
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)

# A resumed run repeats the run that it continues.
randomness = dict(seed=0)
custom_hooks = [dict(type='mmocc.EpochSeedHook')]  # and no EMAHook
train_dataloader = dict(
    persistent_workers=False,
    dataset=dict(
        # RandomErasing would hide parts of the images that LEARN is to take
        # for clean.
        pipeline=[
            step
            for step in _base_.train_pipeline
            if step['type'] != 'RandomErasing'
        ]
    ),
)
auto_scale_lr = dict(base_batch_size=256)  # what LEARN's lr is for
