"""The baseline of Hide-and-Seek: InceptionV3-CAM on CUB-200-2011."""

_base_ = [
    '../_base_/models/inceptionv3_cam.py',
    '../_base_/datasets/cub_wsol.py',
    '../_base_/schedules/wsol_cub.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
pretrained = (
    'https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth'
)

# ------------------------------------------------- things you may change
init_cfg = dict(type='Pretrained', checkpoint=pretrained)
model = dict(backbone=dict(init_cfg=init_cfg), head=dict(num_classes=200))
optim_wrapper = dict(
    # the new layers learn ten times as fast
    paramwise_cfg=dict(
        custom_keys={
            'backbone.SPG': dict(lr_mult=10),
            'head.fc': dict(lr_mult=10),
        }
    )
)
