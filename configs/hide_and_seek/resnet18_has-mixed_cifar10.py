"""Hide-and-Seek, mixed grid sizes: half a ResNet-18 on CIFAR-10."""

_base_ = './resnet18_cam_cifar10.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(0, 2, 4, 6, 8),
        hide_prob=0.5,
    ),
)
