"""The baseline of Hide-and-Seek: CAM with GoogLeNet-GAP on ImageNet."""

_base_ = [
    '../_base_/models/googlenet_gap.py',
    '../_base_/datasets/imagenet_wsol.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------- things you may change
train_dataloader = dict(batch_size=128)
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy', threshold=0.3),  # the paper's
    dict(type='mmocc.MaxBoxAcc'),
    # Again, with the maps' cells where the network sees them:
    dict(
        type='mmocc.LocalizationAccuracy',
        threshold=0.3,
        align='receptive_field',
    ),
    dict(type='mmocc.MaxBoxAcc', align='receptive_field'),
]
test_evaluator = val_evaluator

# ------------------------------------------------- the schedule
# From scratch: 40 epochs from 1e-2 down to 1e-4. The number of epochs, and 128
# images a step, are reported of Hide-and-Seek; the rate falls as AlexNet's,
# 40/55 as long.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=5e-4)
)
# Each multiplies the result of the others.
param_scheduler = [
    dict(type='MultiStepLR', milestones=[13, 31], gamma=0.5),
    dict(type='MultiStepLR', milestones=[21, 38], gamma=0.2),
    dict(
        type='MultiStepParamScheduler',
        param_name='weight_decay',
        milestones=[21],
        gamma=0.0,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=40, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
