"""Expressions of your own faces, and which of their patches are hidden.

``mmocc train ofer --data FOLDER`` runs it after gaussian_lite0_my_faces.py.
The CNN is EfficientNet-Lite0, trained on ImageNet, of which the last stages
learn; half of the faces of training are occluded by drawn things. Nothing is
redrawn: docs/results/ofer.md says why. The test takes faces as they are.
"""

_base_ = [
    '../_base_/datasets/my_faces.py',
    '../_base_/models/patch_gaussian_lite0.py',
    '../_base_/my_faces_runtime.py',
]

# ------------------------------------------------ things you will change
detector_checkpoint = 'work_dirs/gaussian_lite0_my_faces/epoch_1.pth'
max_epochs = 15
lr = 1e-3  # for 16 images a step

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LatentOFER',
    detector=dict(
        type='mmocc.PatchGaussian',
        backbone={{_base_.patch_gaussian.backbone}},
        dims=64,
        grid=(8, 8),
        size=128,
        smooth=0.6,
        init_cfg=dict(type='Pretrained', checkpoint=detector_checkpoint),
    ),
    backbone=dict(
        type='mmocc.EfficientNetLite',
        frozen_stages=5,  # the stem and blocks 0 to 4
        init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0'),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes={{_base_.my_number}},
        in_channels=1280,
        topk=(1,),
    ),
)
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_dataloader = dict(drop_last=True)
train_cfg = dict(max_epochs=max_epochs)
