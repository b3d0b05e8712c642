"""VGG-11 up to its fourth stage, with 8x8 maps for 64 pixels."""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmocc.VGGGAP',
        depth=11,
        num_stages=4,
        dilations=(1, 1, 1, 1),
        out_channels=256,
        norm_cfg=dict(type='BN'),  # from scratch, VGG needs it
    ),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=10,
        in_channels=256,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
