"""Self-produced guidance (SPG): ResNet-50 on CUB-200-2011."""

_base_ = './resnet50_cam_cub.py'

model = dict(
    # Where clovaai/wsolevaluation has B1 and B2
    backbone=dict(
        _delete_=True,
        type='mmocc.InnerMapsBackbone',
        backbone=_base_.model.backbone,
        modules=('layer3.0', 'layer3'),
    ),
    head=dict(type='mmocc.SPGHead', side_channels=(1024, 1024)),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.branch': dict(lr_mult=10)})
)
