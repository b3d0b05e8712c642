"""Like ofer_resnet18_cartoon.py, with the detector that finds most.

First train gaussian_lite0_cartoon.py.
"""

_base_ = [
    './ofer_resnet18_cartoon.py',
    '../_base_/models/patch_gaussian_lite0.py',
]

# ------------------------------------------------ things you will change
detector_checkpoint = 'work_dirs/gaussian_lite0_cartoon/epoch_1.pth'

# ------------------------------------------------- things you may change
model = dict(
    detector=dict(
        _delete_=True,
        type='mmocc.PatchGaussian',
        backbone={{_base_.patch_gaussian.backbone}},
        dims=64,
        grid=(8, 8),
        size=128,
        smooth=0.6,
        init_cfg=dict(type='Pretrained', checkpoint=detector_checkpoint),
    ),
    cache='work_dirs/ofer_cache/cartoon-gaussian',
)
