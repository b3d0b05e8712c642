"""The baseline of Hide-and-Seek: CAM with ResNet-50 on OpenImages30k."""

_base_ = [
    '../_base_/models/resnet50_gap.py',
    '../_base_/datasets/openimages_wsol.py',
    '../_base_/schedules/wsol_openimages.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
pretrained = 'https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth'

# ------------------------------------------------- things you may change
init_cfg = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(backbone=dict(init_cfg=init_cfg), head=dict(num_classes=100))
optim_wrapper = dict(
    # the last stage and the linear layer learn ten times as fast
    paramwise_cfg=dict(
        custom_keys={
            'backbone.layer4': dict(lr_mult=10),
            'head.fc': dict(lr_mult=10),
        }
    )
)
