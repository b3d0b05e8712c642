"""Hide-and-Seek, patches of 6 pixels: half a ResNet-18 on CIFAR-10."""

# Written by tools/dev/make_has_configs.py
_base_ = './resnet18_cam_cifar10.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(6,),
        hide_prob=0.5,
    ),
)
