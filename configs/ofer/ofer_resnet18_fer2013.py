"""Stage 4 of Latent-OFER on FER2013, with all parts.

The test takes faces as they are; ``-occluded`` pastes unseen kinds on them.
"""

_base_ = [
    './ofer_resnet18_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

# ------------------------------------------------ things you will change
mae_checkpoint = 'work_dirs/mae_vit-tiny_fer2013/epoch_40.pth'
svdd_checkpoint = 'work_dirs/svdd_vit-tiny_fer2013/epoch_6.pth'
expression_checkpoint = 'work_dirs/expression_resnet18_fer2013/epoch_15.pth'
recon_checkpoint = 'work_dirs/recon_small_fer2013/epoch_12.pth'
max_epochs = 10
cache = 'work_dirs/ofer_cache/fer2013'  # delete it when a stage has changed

# ------------------------------------------------- things you may change
train_dataloader = dict(dataset={{_base_.fer2013_fixed_train}})
val_dataloader = dict(dataset={{_base_.fer2013_fixed_val}})
test_dataloader = dict(dataset={{_base_.fer2013_test}})
model = dict(
    extractor=dict(init_cfg=dict(checkpoint=mae_checkpoint)),
    detector=dict(init_cfg=dict(checkpoint=svdd_checkpoint)),
    reconstructor=dict(init_cfg=dict(checkpoint=recon_checkpoint)),
    backbone=dict(init_cfg=dict(checkpoint=expression_checkpoint)),
    cache=cache,
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
