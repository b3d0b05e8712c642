"""Ornament pages for a CPU: 320x320, 40 classes, 400 pages to train on.

Made by ``python tools/dataset_converters/make_ornament_pages.py --reduced
--out data/ornament_pages_reduced``; see docs/dea_data.md.
"""

_base_ = './ornament_pages.py'

data_root = 'data/ornament_pages_reduced'
num_classes = 40
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
    dict(
        type='mmocc.PackAnomalyInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
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
val_evaluator = [
    dict(
        type='mmocc.KnownClassCocoMetric',
        ann_file=data_root + '/annotations/val.json',
        metric='bbox',
    ),
    dict(
        type='mmocc.KnownClassCocoMetric',
        ann_file=data_root + '/annotations/val.json',
        metric='bbox',
        iou_thrs=[0.9],
        metric_items=['mAP'],
        prefix='coco90',
    ),
]
test_evaluator = [
    dict(
        type='mmocc.KnownClassCocoMetric',
        ann_file=data_root + '/annotations/test.json',
        metric='bbox',
    ),
    dict(
        type='mmocc.KnownClassCocoMetric',
        ann_file=data_root + '/annotations/test.json',
        metric='bbox',
        iou_thrs=[0.9],
        metric_items=['mAP'],
        prefix='coco90',
    ),
]
