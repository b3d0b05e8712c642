"""Tiny ImageNet for localization, enlarged to 64 pixels.

For the public 64-pixel set: ``box_file = None``, ``box_scale = 1.0`` and 200
classes in the model. Here: 24 classes of 32 pixels, whose boxes are on the
scale of the 64-pixel set. See ``docs/localization.md``.
"""

data_root = 'data/tiny_imagenet32_24c'
batch_size = 64
num_workers = 2
box_file = 'boxes64.csv'  # None: the text files of the public set
box_scale = 0.5  # pixels of an image to one pixel of its boxes

data_preprocessor = dict(
    num_classes=24,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='RandomCrop', crop_size=64, padding=8),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
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
        layout='tiny_imagenet',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset',
        layout='tiny_imagenet',
        data_root=data_root,
        split='val',
        layout_args=dict(box_file=box_file, box_scale=box_scale),
        with_boxes=True,
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy'),
    dict(type='mmocc.MaxBoxAcc'),
    # Again, with the maps' cells where the network sees them:
    dict(type='mmocc.LocalizationAccuracy', align='receptive_field'),
    dict(type='mmocc.MaxBoxAcc', align='receptive_field'),
]
test_evaluator = val_evaluator
