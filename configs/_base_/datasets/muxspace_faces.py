"""Faces of muxspace/facial_expressions: labels.csv with emotion and path.

Its labels are noisy, and it has no splits: here 70 % of the people are for
training, 10 % for validation and 20 % for the test.
"""

data_root = 'data/muxspace_expressions'
batch_size = 64
num_workers = 2
class_map = dict(
    anger='Anger',
    contempt=None,  # 9 pictures
    disgust='Disgust',
    fear='Fear',
    happiness='Happiness',
    neutral='Neutral',
    sadness='Sadness',
    surprise='Surprise',
)
# George_W_Bush_0520 is of George_W_Bush; other names tell no person, and each
# of these pictures counts as a person.
subject_pattern = r'(.+?)(?:_\d+)?$'

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
        data_root=data_root,
        ann_file='labels.csv',
        label_column='emotion',
        class_map=class_map,
        subject_pattern=subject_pattern,
        subjects=(0.3, 1.0),
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
        data_root=data_root,
        ann_file='labels.csv',
        label_column='emotion',
        class_map=class_map,
        subject_pattern=subject_pattern,
        subjects=(0.2, 0.3),
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
        data_root=data_root,
        ann_file='labels.csv',
        label_column='emotion',
        class_map=class_map,
        subject_pattern=subject_pattern,
        subjects=(0.0, 0.2),
        pipeline=test_pipeline,
    ),
)
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = val_evaluator
