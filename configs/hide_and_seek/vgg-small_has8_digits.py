"""Hide-and-Seek, patches of 8 pixels: a small VGG on the digits."""

# Written by tools/dev/make_has_configs.py
_base_ = './vgg-small_cam_digits.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(8,),
        hide_prob=0.5,
    ),
)
