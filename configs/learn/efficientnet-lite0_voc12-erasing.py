"""A control of LEARN on 12 classes of VOC: fine-tuned with RandomErasing."""

_base_ = './efficientnet-lite0_voc12-finetuned.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandomErasing',
        erase_prob=0.5,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=0.4,  # the ranges of arXiv 1708.04896, section 4
        fill_color=(127.0, 127.0, 127.0),
        fill_std=(64.0, 64.0, 64.0),
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
