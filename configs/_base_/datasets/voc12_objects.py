"""Objects of the 12 rigid classes of Pascal VOC, cut out, at 224 pixels.

A folder in the VOC layout with one object a photo, and the lists ``train``,
``test`` and ``test_whole`` (objects that nothing hides, as photographed).
"""

data_root = 'data/voc07_rigid12_crops'
batch_size = 64
num_workers = 2
classes = [
    'aeroplane', 'bicycle', 'boat', 'bottle', 'bus', 'car',
    'chair', 'diningtable', 'motorbike', 'sofa', 'train', 'tvmonitor',
]  # fmt: skip

data_preprocessor = dict(
    num_classes=12,
    # those of EfficientNet-Lite's training; ImageNet's lose ten points
    mean=[127.0, 127.0, 127.0],
    std=[128.0, 128.0, 128.0],
    to_rgb=True,
)
# No random step: LEARN's clean_cache needs the same images in each epoch.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject', with_mask=True),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.VOCObjects',
        data_root=data_root,
        split='train',
        classes=classes,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.VOCObjects',
        data_root=data_root,
        split='test',
        classes=classes,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
