"""Hide-and-Seek, mixed grid sizes: VGG16-GAP on CUB-200-2011."""

_base_ = './vgg16-gap_cam_cub.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(0, 16, 32, 44, 56),
        hide_prob=0.5,
    ),
)
