"""OccludedPASCAL3D+: objects of 12 classes, cut out of occluded photos.

``docs/datasets.md`` says where it comes from. The test reads one level; for
others, ``--cfg-options test_dataloader.dataset.level=L3``. The three levels of
the download have different images; the test takes those that all of them have.
Validation reads a tenth of the training images, which training leaves out: so
a model is never chosen on images of the test. ``mmocc report --preset
occluded_pascal3d`` tests in all levels.
"""

data_root = 'data/OccludedPASCAL3D'
# Clean training images, which the authors' CreateTrainingData.py makes.
train_root = 'data/OccludedPASCAL3D_Train'
batch_size = 64
num_workers = 4

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
# mmocc.LoadOcclusionMasks after Resize adds the masks of object and occluder.
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
        # The boxes of the training images can lack an edge: see the docs.
        lost_edge='image',
        part='fit',  # 'all' for a last training, without validation
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
        data_root=train_root,
        level='raw',
        lost_edge='image',
        part='select',
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    val_dataloader,
    dataset=dict(
        type='mmocc.OccludedPASCAL3D',
        data_root=data_root,
        level='L2',
        common_with=['L1', 'L2', 'L3'],
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
