"""FER2013 as folders: ROOT/{train,validation,test}/CLASS/*.jpg, 48 pixels.

Enlarged to 64, so that patches of 8 pixels fit.
"""

data_root = 'data/fer2013'
batch_size = 64
num_workers = 2
class_map = dict(
    angry='Anger',
    disgust='Disgust',
    fear='Fear',
    happy='Happiness',
    neutral='Neutral',
    sad='Sadness',
    surprise='Surprise',
)

data_preprocessor = dict(
    num_classes=7,
    # ImageNet's, RGB
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
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
        type='mmocc.FaceFolder',
        data_root=f'{data_root}/train',
        class_map=class_map,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.FaceFolder',
        data_root=f'{data_root}/validation',
        class_map=class_map,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.FaceFolder',
        data_root=f'{data_root}/test',
        class_map=class_map,
        pipeline=test_pipeline,
    ),
)
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = val_evaluator
