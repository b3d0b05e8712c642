"""ResNet-50 with 14x14 maps for 224 pixels, as in clovaai/wsolevaluation."""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        strides=(1, 2, 2, 1),  # the last stage keeps the size of its map
        out_indices=(3,),
        style='pytorch',
    ),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=1000,
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
