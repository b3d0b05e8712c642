"""Stage 1 of DEA, the paper's size: SSD300 with DIoU on ornament pages.

HAL hal-03409930, section III-B: Adam at 1e-4, a tenth of that once the loss
falls by less than 2 %; here after fixed epochs, of which the paper tells no
number. From scratch, as there. Pages of 640 pixels are seen at 300. Data:
tools/dataset_converters/make_ornament_pages.py; see docs/dea_data.md.
"""

_base_ = [
    'mmdet::_base_/models/ssd300.py',
    '../_base_/datasets/ornament_pages.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
data_root = 'data/ornament_pages'
num_classes = 200
max_epochs = 60
lr = 1e-4  # for 8 pages a step

# ------------------------------------------------- things you may change
default_scope = 'mmdet'
side = (300, 300)  # (w, h) in pixels, that the anchors are made for
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=side, keep_ratio=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=side, keep_ratio=False),
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

# Pretrained weights would know photos, not binarised pages.
model = dict(
    backbone=dict(init_cfg=None),
    bbox_head=dict(
        type='mmocc.SSDIoUHead',
        num_classes=num_classes,
        reg_decoded_bbox=True,
        loss_bbox=dict(type='mmocc.DIoULoss', loss_weight=10.0),
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=lr),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=500),
    dict(type='MultiStepLR', milestones=[40, 55], gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(
    visualization=dict(_delete_=True, type='DetVisualizationHook')
)
visualizer = dict(type='DetLocalVisualizer')
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.CheckClassesHook'),
]
auto_scale_lr = dict(base_batch_size=8)
