"""Objects of Pascal VOC 2007 + 2012 as single-label images of 224 pixels.

Made by ``python tools/dataset_converters/download_voc.py``.
"""

data_root = 'data/VOCdevkit'
batch_size = 64
num_workers = 4

data_preprocessor = dict(
    num_classes=20,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
# mmocc.Occlude hides shares of the object's mask where VOC has one, and of its
# box elsewhere.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject', with_mask=True),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.VOCObjects',
        data_root=[f'{data_root}/VOC2007', f'{data_root}/VOC2012'],
        split='trainval',
        difficult=False,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.VOCObjects',
        data_root=f'{data_root}/VOC2007',
        split='test',
        difficult=False,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
