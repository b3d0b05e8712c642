"""Action localization from labels of whole videos, with Video-HaS."""

_base_ = './temporal_full.py'

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(
        type='mmocc.HideSegments',
        segment_lengths=20,  # half of an action; the paper: 100 of 2000
        hide_prob=0.5,
        fill=0.0,  # the mean feature: these are centred
    ),
    {{_base_.pack}},
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
