"""Hide-and-Seek, patches of 56 pixels: ResNet-50 on single VOC objects."""

# Written by tools/dev/make_has_configs.py
_base_ = './resnet50_cam_voc.py'

data_preprocessor = dict(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(
        type='mmocc.BatchHideAndSeek',
        grid_sizes=(56,),
        hide_prob=0.5,
    ),
)
