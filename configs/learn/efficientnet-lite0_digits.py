"""Beyond the paper: LEARN inside EfficientNet-Lite0, on the embedded digits.

Each image has two occluded twins, so that all features are computed once. The
demo runs it.
"""

_base_ = './efficientnet-lite0_digits-baseline.py'

# ------------------------------------------------ things you will change
load_from = 'work_dirs/efficientnet-lite0_digits-baseline/epoch_4.pth'
baseline_config = 'configs/learn/efficientnet-lite0_digits-baseline.py'
occluders = 'data/digits_voc/occluders/train'
max_epochs = 6
lr = 2e-3  # for 32 images a step
features = 'work_dirs/efficientnet-lite0_digits-inner-features'

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    clean_cache=features,
    learn=dict(type='mmocc.LEARN', in_channels=112, pool='none', gate=True),
    insert_after='backbone.blocks.4',
    loss_rec=dict(relative=True),  # its values are larger than the last map's
    loss_last=dict(),
    loss_intra=None,
    loss_inter=None,
    occluder=dict(
        type='mmocc.BatchOccluder',
        texture_bank=f'{occluders}/textures',
        object_bank=f'{occluders}/objects',
        texture_size=112,
        variants=2,
    ),
)
optim_wrapper = dict(
    _delete_=True,  # the classifier's own, made for all parameters
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=1,
        T_max=max_epochs - 1,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
