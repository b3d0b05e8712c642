"""The baseline of Hide-and-Seek: CAM with half a ResNet-18 on the digits.

From scratch on 4,300 images: two to three minutes on a CPU core.
"""

_base_ = [
    '../_base_/models/resnet18_gap_small.py',
    '../_base_/datasets/digits_wsol.py',
    '../_base_/schedules/wsol_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 6

# ------------------------------------------------- things you may change
model = dict(head=dict(num_classes=10))
train_dataloader = dict(batch_size=32)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=1,
        T_max=max_epochs - 1,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
