"""Adversarial complementary learning (ACoL): ResNet-50 on CUB-200-2011."""

_base_ = './resnet50_cam_cub.py'

model = dict(
    head=dict(
        _delete_=True,
        type='mmocc.ACoLHead',
        num_classes=200,
        in_channels=2048,
        threshold=0.6,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    )
)
optim_wrapper = dict(
    # the last stage and the branches learn ten times as fast
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'backbone.layer4': dict(lr_mult=10),
            'head.branch': dict(lr_mult=10),
        }
    )
)
