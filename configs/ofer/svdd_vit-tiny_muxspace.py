"""Stage 2 of Latent-OFER on photos of muxspace: the detector.

As of cartoon faces, over the MAE of FER2013, of which muxspace has too few.
Tested on people, and kinds of things, that no training has seen.
"""

_base_ = [
    './svdd_vit-tiny_cartoon.py',
    '../_base_/datasets/muxspace_occluded.py',
]

# ------------------------------------------------ things you will change
mae_checkpoint = 'work_dirs/mae_vit-tiny_fer2013/epoch_40.pth'
max_epochs = 20  # as many steps as of the cartoon faces, which are more

# ------------------------------------------------- things you may change
train_dataloader = dict(dataset={{_base_.muxspace_pasted_train}})
val_dataloader = dict(dataset={{_base_.muxspace_pasted_val}})
test_dataloader = dict(dataset={{_base_.muxspace_pasted_test}})
model = dict(extractor=dict(init_cfg=dict(checkpoint=mae_checkpoint)))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))
