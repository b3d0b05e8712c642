"""Hide-and-Seek, mixed grid sizes: InceptionV3-CAM on CUB-200-2011."""

_base_ = './inceptionv3_cam_cub.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(0, 16, 32, 44, 56),
        hide_prob=0.5,
    ),
)
