"""The same small detector on a COCO json file, with masks.

Made to try the occlusion benchmark on few photos; the schedule is as for
BCCD. Data: photos and a COCO json file below ``data_root``.
"""

_base_ = './retinanet-r18_bccd.py'

# ------------------------------------------------ things you will change
data_root = 'data/coco128'
train_json = test_json = 'instances.json'
images = 'images/'

# ------------------------------------------------- things you may change
model = dict(bbox_head=dict(num_classes=80))
pipelines = {{_base_.train_pipeline}}, {{_base_.test_pipeline}}
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_root=data_root,
        ann_file=train_json,
        data_prefix=dict(img=images),
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
        pipeline=pipelines[0],
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        data_root=data_root,
        ann_file=test_json,
        data_prefix=dict(img=images),
        test_mode=True,
        pipeline=pipelines[1],
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{test_json}')
test_evaluator = val_evaluator
