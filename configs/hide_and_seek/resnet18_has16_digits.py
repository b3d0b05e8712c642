"""Hide-and-Seek, patches of 16 pixels: half a ResNet-18 on the digits."""

# Written by tools/dev/make_has_configs.py
_base_ = './resnet18_cam_digits.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(16,),
        hide_prob=0.5,
    ),
)
