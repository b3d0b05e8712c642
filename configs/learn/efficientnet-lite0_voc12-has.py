"""A control of LEARN on 12 classes of VOC: fine-tuned with Hide-and-Seek."""

_base_ = './efficientnet-lite0_voc12-finetuned.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmocc.HideAndSeek', fill=(127.0, 127.0, 127.0)),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
