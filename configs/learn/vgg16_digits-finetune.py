"""The control of LEARN on the digits: the same classifier, fine-tuned.

All of it trains on the same clean and occluded images, with cross-entropy.
"""

_base_ = './vgg16_digits-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/vgg16_digits-baseline/epoch_4.pth'
baseline_config = 'configs/learn/vgg16_digits-baseline.py'
occluders = 'data/digits_voc/occluders/train'
max_epochs = 4
lr = 3e-5  # a tenth of phase 1's

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.OcclusionAugClassifier',
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        texture_size=64,
    ),
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    )
]
