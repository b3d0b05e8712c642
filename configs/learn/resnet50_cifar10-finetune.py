"""The control of LEARN with a ResNet-50: the same classifier, fine-tuned."""

_base_ = './resnet18_cifar10-finetune.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet50_cifar10-baseline/epoch_30.pth'
baseline_config = 'configs/learn/resnet50_cifar10-baseline.py'

# ------------------------------------------------- things you may change
model = dict(
    backbone=dict(depth=50, stem_channels=64, base_channels=64),
    head=dict(in_channels=2048),
)
side = 64
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='Resize', scale=(side, side)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(side, side)),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
