"""Phase 2 of LEARN on CIFAR-10 at 64 pixels: phase 1's ResNet-50, frozen."""

_base_ = [
    './resnet18_cifar10.py',
    '../_base_/datasets/cifar10_64px.py',
]

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet50_cifar10-baseline/epoch_30.pth'
baseline_config = 'configs/learn/resnet50_cifar10-baseline.py'

# ------------------------------------------------- things you may change
model = dict(
    backbone=dict(depth=50, stem_channels=64, base_channels=64),
    neck=[
        dict(type='mmocc.LEARN', in_channels=2048),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(in_channels=2048),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline_64px}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
