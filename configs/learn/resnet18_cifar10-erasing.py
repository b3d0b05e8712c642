"""A control of LEARN on CIFAR-10: the baseline with RandomErasing."""

_base_ = './resnet18_cifar10-baseline.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandomErasing',
        erase_prob=0.5,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=0.4,  # the ranges of arXiv 1708.04896, section 4
        fill_color=(113.8575, 122.961, 125.307),  # the mean, BGR
        fill_std=(51.255, 50.847, 51.5865),
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
