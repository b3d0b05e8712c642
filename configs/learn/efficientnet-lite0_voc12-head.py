"""A control of LEARN on 12 classes of VOC: the head alone, on occlusions."""

_base_ = './efficientnet-lite0_voc12-linear.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/efficientnet-lite0_voc12-linear/epoch_30.pth'
baseline_config = 'configs/learn/efficientnet-lite0_voc12-linear.py'
occluders = 'data/occluders/train'

# ------------------------------------------------- things you may change
model = dict(
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        variants=5,
    ),
)
