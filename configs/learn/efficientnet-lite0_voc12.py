"""Phase 2 of LEARN on 12 classes of VOC: the paper's form, ImageNet features.

Each image has five occluded twins, so that all features are computed once.
"""

_base_ = './efficientnet-lite0_voc12-linear.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/efficientnet-lite0_voc12-linear/epoch_30.pth'
baseline_config = 'configs/learn/efficientnet-lite0_voc12-linear.py'
occluders = 'data/occluders/train'
max_epochs = 30
lr = 1e-3  # for 64 images a step

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    neck=[
        dict(type='mmocc.LEARN', in_channels=1280),
        dict(type='GlobalAveragePooling'),
    ],
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        variants=5,
    ),
)
