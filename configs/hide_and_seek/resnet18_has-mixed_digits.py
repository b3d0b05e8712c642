"""Hide-and-Seek, mixed grid sizes: half a ResNet-18 on the digits."""

_base_ = './resnet18_cam_digits.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(0, 4, 8, 12, 16),
        hide_prob=0.5,
    ),
)
