"""A small detector to try the occlusion benchmark on: blood cells (BCCD).

RetinaNet with a ResNet-18 from scratch, on photos of half size. Data: the
VOC layout of https://github.com/Shenggan/BCCD_Dataset below ``data_root``.
"""

_base_ = [
    '../_base_/models/retinanet_r18_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
data_root = 'data/bccd'
train_list = 'ImageSets/Main/trainval.txt'
test_list = 'ImageSets/Main/test.txt'
max_epochs = 12
lr = 5e-4  # for 8 images a step

# ------------------------------------------------- things you may change
default_scope = 'mmdet'
default_hooks = dict(
    visualization=dict(_delete_=True, type='DetVisualizationHook')
)
visualizer = dict(type='DetLocalVisualizer')
metainfo = dict(classes=('RBC', 'WBC', 'Platelets'))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# The evaluator reads the ground truth from the samples: ``instances``.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
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
dataset = dict(
    type='VOCDataset',
    data_root=data_root,
    data_prefix=dict(sub_data_root=''),
    metainfo=metainfo,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=train_list,
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
        pipeline=train_pipeline,
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=test_list,
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=60),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=4)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8)
