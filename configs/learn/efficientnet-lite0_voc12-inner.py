"""Beyond the paper: LEARN inside the network, after the fifth of seven stages.

In the last map each position has seen most of the image, with the occluder. In
the 14x14 map of this stage most positions are still intact. The full gate has
25,200 parameters here, in the last map 3.3 million.
"""

_base_ = './efficientnet-lite0_voc12.py'

# ------------------------------------------------ things you will change
max_epochs = 10
lr = 2e-3  # for 64 images a step
features = 'work_dirs/efficientnet-lite0_voc12-inner-features'

# ------------------------------------------------- things you may change
model = dict(
    clean_cache=features,
    neck=dict(_delete_=True, type='GlobalAveragePooling'),
    learn=dict(type='mmocc.LEARN', in_channels=112, pool='none', gate=True),
    insert_after='backbone.blocks.4',
    # relative: its values are much larger than the last map's
    loss_rec=dict(relative=True, loss_weight=0.1),
    loss_last=dict(loss_weight=0.1),
    loss_intra=None,
    loss_inter=None,
)
optim_wrapper = dict(optimizer=dict(lr=lr))
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
