"""The baseline of Hide-and-Seek: CAM with half a ResNet-18 on Tiny ImageNet.

From scratch on 2,400 images: about three minutes on two CPU cores.
"""

_base_ = [
    '../_base_/models/resnet18_gap_small.py',
    '../_base_/datasets/tiny_imagenet_wsol.py',
    '../_base_/schedules/wsol_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------- things you may change
train_dataloader = dict(batch_size=32)
