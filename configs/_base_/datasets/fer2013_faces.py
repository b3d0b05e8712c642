"""FER2013 as folders: ROOT/{train,validation,test}/CLASS/*.jpg, 48 pixels.

They are enlarged to 64, so that patches of 8 pixels fit.
"""

_base_ = './cartoon_faces.py'

data_root = 'data/fer2013'
class_map = dict(
    angry='Anger',
    disgust='Disgust',
    fear='Fear',
    happy='Happiness',
    neutral='Neutral',
    sad='Sadness',
    surprise='Surprise',
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
dataset = dict(ann_file=None, class_map=class_map)
train_dataloader = dict(
    dataset=dict(
        dataset, data_root=f'{data_root}/train', pipeline=train_pipeline
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset, data_root=f'{data_root}/validation', pipeline=test_pipeline
    )
)
test_dataloader = dict(
    dataset=dict(
        dataset, data_root=f'{data_root}/test', pipeline=test_pipeline
    )
)
