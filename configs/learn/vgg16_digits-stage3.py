"""Beyond the paper: LEARN after stage 3 of the VGG-16 (8x8 maps), gated."""

_base_ = './vgg16_digits.py'

# ------------------------------------------------ things you will change
max_epochs = 4
lr = 2e-3  # for 16 images a step

# ------------------------------------------------- things you may change
model = dict(
    neck=None,
    learn=dict(type='mmocc.LEARN', in_channels=256, pool='none', gate=True),
    insert_after='backbone.features.9',  # the third pooling
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
