"""LEARN for your own classifier: both configs joined.

PYTHONPATH=configs/learn/plugin python tools/train.py THIS_FILE
"""

_base_ = ['./own_backbone-baseline.py', '../../_base_/learn.py']

# ------------------------------------------------ things you will change
load_from = 'work_dirs/own_backbone-baseline/epoch_30.pth'
baseline_config = 'configs/learn/plugin/own_backbone-baseline.py'
max_epochs = 10  # only LEARN trains

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    neck=[
        # as many channels as the map that the backbone gives
        dict(type='mmocc.LEARN', in_channels=128),
        dict(type='GlobalAveragePooling'),
    ],
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
