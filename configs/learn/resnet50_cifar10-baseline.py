"""Phase 1 of LEARN on CIFAR-10 at 64 pixels: a ResNet-50, for a GPU."""

_base_ = [
    './resnet18_cifar10-baseline.py',
    '../_base_/datasets/cifar10_64px.py',
]

# ------------------------------------------------- things you may change
model = dict(
    backbone=dict(depth=50, stem_channels=64, base_channels=64),
    head=dict(in_channels=2048),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline_64px}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
