"""InceptionV3-CAM with 14x14 maps for 224 pixels, as clovaai/wsolevaluation.

28x28, as in its paper: ``--cfg-options model.backbone.large_maps=True``.
"""

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmocc.InceptionV3CAM'),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=1000,
        in_channels=1024,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
