"""RAF-DB (basic), seven expressions; docs/faces.md shows its files.

It has no validation split: like others, validation is on the test split, so
that no epoch may be chosen by it.
"""

data_root = 'data/raf-basic'
batch_size = 128
num_workers = 2
# Eyes, nose and corners of the mouth as shares of the picture, by the usual
# proportions of an aligned face: RAF-DB's list holds none. Look at yours.
rafdb_landmarks = [
    (0.32, 0.38),
    (0.68, 0.38),
    (0.50, 0.58),
    (0.36, 0.76),
    (0.64, 0.76),
]

data_preprocessor = dict(
    num_classes=7,
    # ImageNet's, RGB
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    # after the code of the Latent-OFER release, less its random erasing: what
    # is erased would count as occluded
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='Rotate',
                magnitude_range=(0, 20),
                magnitude_level=10,
                magnitude_std='inf',
                prob=1.0,
            ),
            dict(type='RandomCrop', crop_size=224, padding=32),
        ],
        prob=0.2,
    ),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
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
        type='mmocc.RAFDB',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.RAFDB',
        data_root=data_root,
        split='test',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = val_evaluator
