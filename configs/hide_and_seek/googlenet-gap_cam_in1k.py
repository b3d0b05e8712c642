"""The baseline of Hide-and-Seek: CAM with GoogLeNet-GAP on ImageNet."""

_base_ = [
    '../_base_/models/googlenet_gap.py',
    '../_base_/datasets/imagenet_wsol.py',
    '../_base_/schedules/googlenet_has.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------- things you may change
train_dataloader = dict(batch_size=128)
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy', threshold=0.3),  # the paper's
    dict(type='mmocc.MaxBoxAcc'),
]
test_evaluator = val_evaluator
