"""Pipelines, loaders and metrics for aligned faces of 224 x 224 pixels.

rafdb.py, affectnet.py and kdef.py add their data sets. Validation uses the
test split, since these sets have no other.
"""

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
    # from the code of the Latent-OFER release, without its random erasing,
    # which would look like an occlusion
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
    batch_size=128,
    num_workers=2,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = val_evaluator
