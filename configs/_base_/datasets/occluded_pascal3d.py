"""OccludedPASCAL3D+: objects of 12 classes, cut out of occluded photos.

Not made here: see ``docs/datasets.md``. The test reads one level; for others,
``--cfg-options test_dataloader.dataset.level=L3``. The three levels of the
download have different images; the test takes those that all of them have.
"""

data_root = 'data/OccludedPASCAL3D'
# Clean training images, which the authors' CreateTrainingData.py makes.
train_root = 'data/OccludedPASCAL3D_Train'
batch_size = 64
num_workers = 4
levels = ['L1', 'L2', 'L3']

data_preprocessor = dict(
    num_classes=12,
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
# With mmocc.LoadOcclusionMasks behind Resize, the masks of object and
# occluder come along.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
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
        type='mmocc.OccludedPASCAL3D',
        data_root=train_root,
        level='raw',
        context=0.1,
        # The boxes of the training images can lack an edge: see the docs.
        lost_edge='image',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.OccludedPASCAL3D',
        data_root=data_root,
        level='L1',
        common_with=levels,
        context=0.1,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.OccludedPASCAL3D',
        data_root=data_root,
        level='L2',
        common_with=levels,
        context=0.1,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
