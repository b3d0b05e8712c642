"""Magnetic tiles: one object an image, learnt on good ones only.

Data: the folders ``MT_*`` of
https://github.com/abin24/Magnetic-tile-defect-datasets. below ``data_root``.
With ``boxes = 'defects'`` the defects are the objects: see docs/dea_data.md.
"""

data_root = 'data/magnetic_tile'
scale = (320, 320)  # (w, h) in pixels of what the network gets
batch_size = 8
num_workers = 2
metainfo = dict(classes=('tile',))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='mmocc.LoadAnomalyAnnotations'),
    dict(type='mmocc.PackAnomalyInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.AnomalyImages',
        data_root=data_root,
        layout='magnetic_tile',
        split='train',
        boxes='image',
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.AnomalyImages',
        data_root=data_root,
        layout='magnetic_tile',
        split='test',
        boxes='image',
        metainfo=metainfo,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# Without an ann_file, the metric reads the truth from the samples.
val_evaluator = [dict(type='mmocc.KnownClassCocoMetric', metric='bbox')]
test_evaluator = val_evaluator
