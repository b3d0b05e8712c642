"""LEARN for your own classifier.

PYTHONPATH=configs/learn/plugin python tools/train.py THIS_FILE
"""

_base_ = './own_backbone-baseline.py'

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
