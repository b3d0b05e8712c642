"""Stage 3 of Latent-OFER on FER2013, as on cartoon faces.

The test hides patches of clean faces; ``-occluded`` pastes unseen kinds.
"""

_base_ = [
    './recon_small_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

# ------------------------------------------------ things you will change
mae_checkpoint = 'work_dirs/mae_vit-tiny_fer2013/epoch_40.pth'
expression_checkpoint = 'work_dirs/expression_resnet18_fer2013/epoch_15.pth'
max_epochs = 12

# ------------------------------------------------- things you may change
train_dataloader = dict(dataset={{_base_.fer2013_train}})
val_dataloader = dict(dataset={{_base_.fer2013_compared_val}})
test_dataloader = dict(dataset={{_base_.fer2013_holes_test}})
model = dict(
    extractor=dict(init_cfg=dict(checkpoint=mae_checkpoint)),
    features=dict(init_cfg=dict(checkpoint=expression_checkpoint)),
    expression=dict(init_cfg=dict(checkpoint=expression_checkpoint)),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=6)
default_hooks = dict(checkpoint=dict(interval=3))
