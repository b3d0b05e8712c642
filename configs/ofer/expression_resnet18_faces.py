"""An expression network on RAF-DB, for the losses of stage 3."""

_base_ = ['../_base_/datasets/rafdb.py', '../_base_/default_runtime.py']

# ------------------------------------------------ things you will change
max_epochs = 30

# ------------------------------------------------- things you may change
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=18,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18'),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=512, topk=(1,)),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.05))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
