"""Blood cells (https://github.com/Shenggan/BCCD_Dataset), at 320 x 320."""

data_root = 'data/bccd'
train_list = 'ImageSets/Main/trainval.txt'
test_list = 'ImageSets/Main/test.txt'

metainfo = dict(classes=('RBC', 'WBC', 'Platelets'))
scale = (320, 320)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='Expand',
        mean=[123.675, 116.28, 103.53],
        to_rgb=True,
        ratio_range=(1, 2),
    ),
    dict(
        type='MinIoURandomCrop',
        min_ious=(0.1, 0.3, 0.5, 0.7, 0.9),
        min_crop_size=0.3,
    ),
    dict(type='Resize', scale=scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=32,
        contrast_range=(0.5, 1.5),
        saturation_range=(0.5, 1.5),
        hue_delta=18,
    ),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=False),
    # After Resize, so that the boxes are those of the original image.
    dict(type='LoadAnnotations', with_bbox=True),
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
        filter_cfg=dict(filter_empty_gt=False),
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
# AP over IoUs 0.5 to 0.95, AP50 and AP75; and AP90, where the losses of boxes
# differ most.
val_evaluator = [
    dict(type='CocoMetric', metric='bbox'),
    dict(type='VOCMetric', iou_thrs=[0.5, 0.75, 0.9], eval_mode='area'),
]
test_evaluator = val_evaluator
