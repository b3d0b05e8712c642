"""Beyond the paper: LEARN after layer2 of the ResNet-18, with a gate.

The paper repairs the last map. By then each position has seen most of the
image, so that little is left to repair it from. Here the 16x16 map before the
last two stages is repaired, and the gate lets intact positions pass unchanged.
"""

_base_ = './resnet18_cifar10.py'

# ------------------------------------------------ things you will change
max_epochs = 20
lr = 3e-3  # for 128 images a step

# ------------------------------------------------- things you may change
model = dict(
    neck=dict(_delete_=True, type='GlobalAveragePooling'),
    learn=dict(type='mmocc.LEARN', in_channels=64, pool='none', gate=True),
    insert_after='backbone.layer2',
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=1,
        T_max=max_epochs - 1,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs)
