"""A control of LEARN on CIFAR-10: the baseline trained with Hide-and-Seek."""

_base_ = './resnet18_cifar10-baseline.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='mmocc.HideAndSeek',
        # 16 to 56 of 224 pixels in the paper; here to scale
        grid_sizes=(0, 4, 8),
        fill=(113.8575, 122.961, 125.307),  # the mean, BGR
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
