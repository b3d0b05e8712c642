"""Ornament pages after the DEA paper: 640x640, 200 classes, 2 outside ones.

Made by ``python tools/dataset_converters/make_ornament_pages.py --out
data/ornament_pages``; see docs/dea_data.md.
"""

data_root = 'data/ornament_pages'
num_classes = 200
scale = (640, 640)  # (w, h) in pixels of what the network gets
batch_size = 8
num_workers = 2

# Nothing is mirrored: the mirror image of a glyph may be another class.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='PackDetInputs'),
]
# Loaded after Resize: the metrics compare in pixels of the original page.
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
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.OrnamentPages',
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='JPEGImages/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.OrnamentPages',
        data_root=data_root,
        ann_file='annotations/val.json',
        data_prefix=dict(img='JPEGImages/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.OrnamentPages',
        data_root=data_root,
        ann_file='annotations/test.json',
        data_prefix=dict(img='JPEGImages/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
# Detection alone; mmocc.ObjectAnomalyMetric needs a model that gives scores.
# The second entry is AP90, where the paper's losses differ most.
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
