"""The control of LEARN with a ResNet-50: the same classifier, fine-tuned."""

_base_ = [
    './resnet18_cifar10-finetune.py',
    '../_base_/datasets/cifar10_64px.py',
]

# ------------------------------------------------ things you will change
load_from = 'work_dirs/resnet50_cifar10-baseline/epoch_30.pth'
baseline_config = 'configs/learn/resnet50_cifar10-baseline.py'

# ------------------------------------------------- things you may change
model = dict(
    backbone=dict(depth=50, stem_channels=64, base_channels=64),
    head=dict(in_channels=2048),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline_64px}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_64px}}))
