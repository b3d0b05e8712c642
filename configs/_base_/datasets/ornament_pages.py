"""Ornament pages after the DEA paper: 640x640, 200 classes, 2 outside ones.

Made by ``python tools/dataset_converters/make_ornament_pages.py --out
data/ornament_pages``; see docs/dea_data.md. Networks get them at 300 pixels.
"""

data_root = 'data/ornament_pages'
scale = (300, 300)  # (w, h) in pixels of what the network gets
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
    dict(type='mmocc.PackAnomalyInputs'),
]
dataset = dict(
    type='mmocc.OrnamentPages',
    data_root=data_root,
    data_prefix=dict(img='JPEGImages/'),
)
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
)
train_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file='annotations/train.json',
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=train_pipeline,
        **dataset,
    ),
    **loader,
)
val_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotations/val.json',
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
    **loader,
)
test_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotations/test.json',
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
    **loader,
)
