"""Stage 2 of Latent-OFER on photos of muxspace: the detector.

As on cartoon faces, with the MAE of FER2013, because muxspace is too small for
one. The test has clean photos of people that no training has seen:
``patch/flagged`` is the share of false alarms. ``-occluded`` pastes unseen
kinds of occluders on them.
"""

_base_ = [
    './svdd_vit-tiny_cartoon.py',
    '../_base_/datasets/muxspace_occluded.py',
]

# ------------------------------------------------ things you will change
mae_checkpoint = 'work_dirs/mae_vit-tiny_fer2013/epoch_40.pth'
max_epochs = 20  # as many steps as with the cartoon faces

# ------------------------------------------------- things you may change
train_dataloader = dict(dataset={{_base_.muxspace_pasted_train}})
val_dataloader = dict(dataset={{_base_.muxspace_pasted_val}})
test_dataloader = dict(dataset={{_base_.muxspace_test}})
model = dict(extractor=dict(init_cfg=dict(checkpoint=mae_checkpoint)))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.FitRadiusHook', at_start=True),  # the whitening
    dict(
        type='mmocc.FitRadiusHook',
        dataloader=dict(
            batch_size=64,
            num_workers=2,
            persistent_workers=False,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset={{_base_.muxspace_held_out}},
        ),
    ),
]
