"""Phase 1 of LEARN on CIFAR-10: a ResNet-18 trained on clean images."""

_base_ = [
    '../_base_/models/resnet18_cifar.py',
    '../_base_/datasets/cifar10_folder.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 30
lr = 0.1  # for 128 images a step

# ------------------------------------------------- things you may change
optim_wrapper = dict(
    optimizer=dict(
        type='SGD', lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=2,
        T_max=max_epochs - 2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
