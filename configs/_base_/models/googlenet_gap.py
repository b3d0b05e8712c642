"""GoogLeNet-GAP for 224 pixels: 14x14 maps."""

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmocc.GoogLeNetGAP'),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=1000,
        in_channels=1024,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
