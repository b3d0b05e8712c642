"""A control of LEARN on the digits: the baseline with RandomErasing."""

_base_ = './vgg16_digits-baseline.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(64, 64)),
    dict(
        type='RandomErasing',
        erase_prob=0.5,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=0.4,  # the ranges of arXiv 1708.04896, section 4
        fill_color=(127.5, 127.5, 127.5),
        fill_std=(63.75, 63.75, 63.75),
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
