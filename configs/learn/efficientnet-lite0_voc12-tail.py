"""The strongest control: the last two of seven stages, and the head, trained.

On clean and occluded images; batch norms keep their statistics. What trains is
what comes after the LEARN of ``-inner``.
"""

_base_ = './efficientnet-lite0_voc12-finetune.py'

# ------------------------------------------------ things you will change
max_epochs = 4
lr = 5e-4  # for 64 images a step

# ------------------------------------------------- things you may change
model = dict(backbone=dict(frozen_stages=5, norm_eval=True))
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(lr=lr),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
