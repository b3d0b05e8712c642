"""AffectNet with seven expressions; docs/faces.md shows its files.

For eight give num_classes=8 to the data sets, the data preprocessor and the
head. Its test split is not public: val serves.
"""

data_root = 'data/affectnet'
batch_size = 128
num_workers = 2

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
        type='mmocc.AffectNet',
        data_root=data_root,
        split='train',
        release='new',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.AffectNet',
        data_root=data_root,
        split='val',
        release='new',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = val_evaluator
