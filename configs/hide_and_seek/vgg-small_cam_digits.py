"""The baseline of Hide-and-Seek: CAM with a small VGG on the digits.

From scratch on some 2,000 images: about three minutes on two CPU cores.
"""

_base_ = [
    '../_base_/models/vgg11_gap_small.py',
    '../_base_/datasets/digits_wsol.py',
    '../_base_/schedules/wsol_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 6

# ------------------------------------------------- things you may change
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
