"""The control that counts: the whole network, on clean and occluded images."""

_base_ = './efficientnet-lite0_voc12-finetuned.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/efficientnet-lite0_voc12-linear/epoch_30.pth'
baseline_config = 'configs/learn/efficientnet-lite0_voc12-linear.py'
occluders = 'data/occluders/train'

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.OcclusionAugClassifier',
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
    ),
)
