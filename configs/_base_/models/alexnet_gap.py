"""AlexNet-GAP for 224 pixels: 11x11 maps."""

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmocc.AlexNetGAP'),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=1000,
        in_channels=512,
        dropout=0.5,  # as in the released CAM network
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
