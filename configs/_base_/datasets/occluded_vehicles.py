"""Occluded vehicles of CompositionalNets: 12 classes, tested on six.

``docs/datasets.md`` says where they come from. The test reads one cell; for
others, ``--cfg-options test_dataloader.dataset.level=L3
test_dataloader.dataset.kind=white``. For the COCO set, ``source=coco`` and
``kind=None``. Validation reads a tenth of the training lists, which training
leaves out: so a model is never chosen on images of the test. ``mmocc report
--preset occluded_vehicles`` tests in all cells.
"""

data_root = 'data/compositionalnets'
batch_size = 64
num_workers = 4

data_preprocessor = dict(
    num_classes=12,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
# The images are crops of the object, here squeezed to a square. The authors
# keep the aspect and test one image at a time.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
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
        type='mmocc.OccludedVehicles',
        data_root=data_root,
        source='pascal3d+',
        split='train',
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
        type='mmocc.OccludedVehicles',
        data_root=data_root,
        source='pascal3d+',
        split='train',
        part='select',
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    val_dataloader,
    dataset=dict(
        type='mmocc.OccludedVehicles',
        data_root=data_root,
        source='pascal3d+',
        split='test',
        level='L2',
        kind='object',
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
