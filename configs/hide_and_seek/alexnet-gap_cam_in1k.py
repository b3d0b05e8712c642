"""The baseline of Hide-and-Seek: CAM with AlexNet-GAP on ImageNet."""

_base_ = [
    '../_base_/models/alexnet_gap.py',
    '../_base_/datasets/imagenet_wsol.py',
    '../_base_/schedules/alexnet_has.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------- things you may change
train_dataloader = dict(batch_size=128)
