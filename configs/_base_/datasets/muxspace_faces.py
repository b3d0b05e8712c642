"""Faces of muxspace/facial_expressions: labels.csv with emotion and path.

Its labels are noisy, and it has no splits: here 70 % of the people are for
training, 10 % for validation and 20 % for the test.
"""

_base_ = './cartoon_faces.py'

data_root = 'data/muxspace_expressions'
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
# George_W_Bush_0520 is of George_W_Bush; other names have no person, and each
# of these pictures counts as one person.
subject_pattern = r'(.+?)(?:_\d+)?$'

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
dataset = dict(
    data_root=data_root,
    ann_file='labels.csv',
    label_column='emotion',
    class_map=class_map,
    subject_pattern=subject_pattern,
    pipeline=test_pipeline,
)
train_dataloader = dict(
    dataset=dict(dataset, subjects=(0.3, 1.0), pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(dataset, subjects=(0.2, 0.3)))
test_dataloader = dict(dataset=dict(dataset, subjects=(0.0, 0.2)))
