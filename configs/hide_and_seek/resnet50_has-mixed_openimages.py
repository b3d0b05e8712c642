"""Hide-and-Seek, mixed grid sizes: ResNet-50 on OpenImages30k."""

_base_ = './resnet50_cam_openimages.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(0, 16, 32, 44, 56),
        hide_prob=0.5,
    ),
)
