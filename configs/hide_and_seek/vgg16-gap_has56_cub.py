"""Hide-and-Seek, patches of 56 pixels: VGG16-GAP on CUB-200-2011."""

# Written by tools/dev/make_has_configs.py
_base_ = './vgg16-gap_cam_cub.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(56,),
        hide_prob=0.5,
    ),
)
