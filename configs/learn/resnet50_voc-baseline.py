"""Phase 1 of LEARN on VOC objects: ResNet-50, from ImageNet, clean crops."""

_base_ = [
    '../_base_/datasets/voc_objects.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 20
lr = 1e-3  # for 64 images a step
pretrained = 'https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth'

# ------------------------------------------------- things you may change
init_cfg = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(3,),
        style='pytorch',
        init_cfg=init_cfg,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=20,
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=5e-4),
    # the new last layer learns ten times as fast
    paramwise_cfg=dict(custom_keys={'head.fc': dict(lr_mult=10)}),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
