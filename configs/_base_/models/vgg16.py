"""VGG-16 whose FC layers are a head, so that a neck can come before them."""

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VGG',
        depth=16,
        num_classes=-1,  # no FC layers in the backbone
        out_indices=(4,),
    ),
    head=dict(
        type='mmocc.VGGClsHead',
        num_classes=20,
        in_channels=512,
        feat_size=7,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
