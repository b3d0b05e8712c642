"""ResNet-18 for 32-pixel images (3x3 stem, no pooling): 4x4 maps."""

# Half of the usual 64: with --amp, an epoch of 10,000 images then takes about
# half a minute on two CPU cores.
width = 32

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=width,
        base_channels=width,
        num_stages=4,
        out_indices=(3,),
        style='pytorch',
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=8 * width,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
