"""The baseline of Hide-and-Seek: CAM with GoogLeNet-GAP on CUB-200-2011."""

_base_ = [
    '../_base_/models/googlenet_gap.py',
    '../_base_/datasets/cub_wsol.py',
    '../_base_/schedules/wsol_cub.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
pretrained = 'https://download.pytorch.org/models/googlenet-1378be20.pth'

# ------------------------------------------------- things you may change
init_cfg = dict(type='Pretrained', checkpoint=pretrained)
model = dict(
    # torchvision's kernels and normalisation, so that its weights fit
    backbone=dict(branch_kernel=3, transform_input=True, init_cfg=init_cfg),
    head=dict(num_classes=200),
)
optim_wrapper = dict(
    # the new layers learn ten times as fast
    paramwise_cfg=dict(
        custom_keys={
            'backbone.cam_conv': dict(lr_mult=10),
            'head.fc': dict(lr_mult=10),
        }
    )
)
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy', threshold=0.3),  # the paper's
    dict(type='mmocc.MaxBoxAcc'),
    # Again, with the maps' cells where the network sees them:
    dict(
        type='mmocc.LocalizationAccuracy',
        threshold=0.3,
        align='receptive_field',
    ),
    dict(type='mmocc.MaxBoxAcc', align='receptive_field'),
]
test_evaluator = val_evaluator
