"""The baseline of Hide-and-Seek: CAM with VGG16-GAP on CUB-200-2011."""

_base_ = [
    '../_base_/models/vgg16_gap.py',
    '../_base_/datasets/cub_wsol.py',
    '../_base_/schedules/wsol_cub.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
pretrained = 'https://download.pytorch.org/models/vgg16-397923af.pth'

# ------------------------------------------------- things you may change
init_cfg = dict(type='Pretrained', checkpoint=pretrained)
model = dict(
    backbone=dict(init_cfg=init_cfg),
    head=dict(num_classes=200),
)
optim_wrapper = dict(
    # the new layers learn ten times as fast
    paramwise_cfg=dict(
        custom_keys={
            'backbone.conv6': dict(lr_mult=10),
            'head.fc': dict(lr_mult=10),
        }
    )
)
