"""Stage 2 of Latent-OFER on FER2013: the detector, as on cartoon faces.

The test takes clean faces: ``patch/flagged`` is the share of false alarms.
``-occluded`` pastes kinds of occluders on them that no training has seen.
"""

_base_ = [
    './svdd_vit-tiny_cartoon.py',
    '../_base_/datasets/fer2013_occluded.py',
]

# ------------------------------------------------ things you will change
mae_checkpoint = 'work_dirs/mae_vit-tiny_fer2013/epoch_40.pth'

# ------------------------------------------------- things you may change
train_dataloader = dict(dataset={{_base_.fer2013_pasted_train}})
val_dataloader = dict(dataset={{_base_.fer2013_pasted_val}})
test_dataloader = dict(dataset={{_base_.fer2013_test}})
model = dict(extractor=dict(init_cfg=dict(checkpoint=mae_checkpoint)))
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
            dataset={{_base_.fer2013_held_out}},
        ),
    ),
]
