"""AlexNet from scratch on ImageNet, as Hide-and-Seek's code (``train.lua``).

55 epochs of 10,000 steps of 128 images, which is one pass over ImageNet;
learning rate and weight decay by epoch::

    1-18    1e-2  5e-4
    19-29   5e-3  5e-4
    30-43   1e-3  0
    44-52   5e-4  0
    53-55   1e-4  0
"""

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=5e-4)
)
# Each multiplies the result of the others.
param_scheduler = [
    dict(type='MultiStepLR', milestones=[18, 43], gamma=0.5),
    dict(type='MultiStepLR', milestones=[29, 52], gamma=0.2),
    dict(
        type='MultiStepParamScheduler',
        param_name='weight_decay',
        milestones=[29],
        gamma=0.0,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=55, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
