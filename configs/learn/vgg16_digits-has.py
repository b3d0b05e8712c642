"""A control of LEARN on the digits: the baseline with Hide-and-Seek."""

_base_ = './vgg16_digits-baseline.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(64, 64)),
    dict(
        type='mmocc.HideAndSeek',
        # 16 to 56 of 224 pixels in the paper; here to scale
        grid_sizes=(0, 4, 8, 12, 16),
        fill=(127.5, 127.5, 127.5),
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
