"""Beyond the paper: LEARN after stage 2 of the VGG-16 (16x16 maps), gated."""

_base_ = './vgg16_digits.py'

# ------------------------------------------------ things you will change
max_epochs = 10
lr = 2e-3  # for 16 images a step

# ------------------------------------------------- things you may change
model = dict(
    neck=None,
    learn=dict(type='mmocc.LEARN', in_channels=128, pool='none', gate=True),
    insert_after='backbone.features.5',  # the second pooling
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
