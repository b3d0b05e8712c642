"""Half of a ResNet-18, with 8x8 maps for 64 pixels."""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=32,
        base_channels=32,
        num_stages=4,
        strides=(1, 2, 1, 1),
        out_indices=(3,),
        style='pytorch',
    ),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=24,
        in_channels=256,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
