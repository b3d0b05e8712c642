"""Good and defective parts in a folder of your own: ``good`` and ``bad``.

Masks are in ``masks``, if you have any: see docs/dea_data.md. A third of the
good images, evenly spread, and all bad ones are for the test.
"""

# ------------------------------------------------ things you will change
data_root = 'data/parts'
classes = None  # the category is the name of the folder

# ------------------------------------------------- things you may change
layout = 'folder'
boxes = 'image'  # the object is the image; foreground cuts the parts out
held_back = 0.2  # share of good images that tell what is normal
scale = (224, 224)  # (w, h) in pixels of what the network gets

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
parts = dict(
    type='mmocc.AnomalyImages',
    data_root=data_root,
    layout=layout,
    boxes=boxes,
    held_back=held_back,
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **parts),
)
# Good images that nothing is learnt from.
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        split='held_back', test_mode=True, pipeline=test_pipeline, **parts
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        split='test', test_mode=True, pipeline=test_pipeline, **parts
    ),
)
val_evaluator = dict(type='mmocc.ImageAnomalyMetric')
test_evaluator = val_evaluator
