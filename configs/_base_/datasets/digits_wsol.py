"""Localization without any download: one handwritten digit among clutter.

Written by ``python tools/dataset_converters/make_digits_voc.py --single``.
"""

data_root = 'data/digits_single'
batch_size = 64
num_workers = 2
classes = [
    'zero', 'one', 'two', 'three', 'four',
    'five', 'six', 'seven', 'eight', 'nine',
]  # fmt: skip

data_preprocessor = dict(
    num_classes=10,
    mean=[127.5, 127.5, 127.5],
    std=[63.75, 63.75, 63.75],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='RandomCrop', crop_size=64, padding=8),
    dict(type='PackInputs'),
]
# A map must cover the whole image, so the test only resizes. Boxes stay in
# pixels of the original image: they do not pass through the pipeline.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.WSOLDataset',
        layout='voc',
        data_root=data_root,
        split='train',
        classes=classes,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset',
        layout='voc',
        data_root=data_root,
        split='val',
        classes=classes,
        with_boxes=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset',
        layout='voc',
        data_root=data_root,
        split='test',
        classes=classes,
        with_boxes=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy'),
    dict(type='mmocc.MaxBoxAcc'),
    # Again, with the maps' cells where the network sees them:
    dict(type='mmocc.LocalizationAccuracy', align='receptive_field'),
    dict(type='mmocc.MaxBoxAcc', align='receptive_field'),
]
test_evaluator = val_evaluator
