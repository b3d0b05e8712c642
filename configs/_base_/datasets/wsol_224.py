"""Photos of 224 pixels for localization: training on labels alone.

A data set adds its layout, root and splits. The validation images are the
test images: watch their scores, but choose nothing by them.
"""

batch_size = 32
num_workers = 4

data_preprocessor = dict(
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
    dataset=dict(type='mmocc.WSOLDataset', pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.WSOLDataset', with_boxes=True, pipeline=test_pipeline
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
