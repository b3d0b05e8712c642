"""ILSVRC 2012 (ImageNet-1k) for localization: training on labels alone.

``docs/localization.md`` says where it goes. Boxes of the validation images are
in the XML files of the challenge's localization task; a list or a metadata
folder does as well.
"""

data_root = 'data/imagenet'
batch_size = 32
num_workers = 4

data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
# As clovaai/wsolevaluation: squeezed to a square, not cropped to one.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(256, 256)),
    dict(type='RandomCrop', crop_size=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
# A map must cover the whole image, so the test only resizes. Boxes stay in
# pixels of the original image: they do not pass through the pipeline.
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
        type='mmocc.WSOLDataset',
        layout='ilsvrc',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset',
        layout='ilsvrc',
        data_root=data_root,
        split='val',
        with_boxes=True,
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy'),
    dict(type='mmocc.MaxBoxAcc'),
]
test_evaluator = val_evaluator
