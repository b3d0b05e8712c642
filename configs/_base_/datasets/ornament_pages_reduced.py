"""Ornament pages for a CPU: 320x320, 40 classes, 400 pages to train on.

Made by ``python tools/dataset_converters/make_ornament_pages.py --reduced
--out data/ornament_pages_reduced``; see docs/dea_data.md.
"""

_base_ = './ornament_pages.py'

data_root = 'data/ornament_pages_reduced'
scale = (320, 320)  # (w, h) in pixels of what the network gets

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='mmocc.LoadAnomalyAnnotations'),
    dict(type='mmocc.PackAnomalyInputs'),
]
train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
