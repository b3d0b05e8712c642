"""Attention-based dropout (ADL) within ResNet-50, on CUB-200-2011."""

_base_ = './resnet50_cam_cub.py'

# ------------------------------------------------- things you may change
adl = dict(type='mmocc.ADL', drop_rate=0.75, gamma=0.9)

# Where clovaai/wsolevaluation has it. A list replaces the base's.
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.HideFeaturesHook', module='backbone.layer3.0', hide=adl),
    dict(type='mmocc.HideFeaturesHook', module='backbone.layer4.0', hide=adl),
    dict(type='mmocc.HideFeaturesHook', module='backbone.layer4.2', hide=adl),
]
