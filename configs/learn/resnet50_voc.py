"""Phase 2 of LEARN on VOC objects: the frozen ResNet-50 of phase 1."""

_base_ = './resnet50_voc-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet50_voc-baseline/epoch_20.pth'
baseline_config = 'configs/learn/resnet50_voc-baseline.py'
max_epochs = 10

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
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
