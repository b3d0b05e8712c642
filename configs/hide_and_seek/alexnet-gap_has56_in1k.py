"""Hide-and-Seek, patches of 56 pixels: AlexNet-GAP on ImageNet."""

# Written by tools/dev/make_has_configs.py
_base_ = './alexnet-gap_cam_in1k.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(56,),
        hide_prob=0.5,
    ),
)
