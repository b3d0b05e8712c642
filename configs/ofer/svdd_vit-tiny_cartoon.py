"""Stage 2 of Latent-OFER on cartoon faces: the detector of occlusions.

About a minute on one core. The test takes clean faces: ``patch/flagged`` is
the share of false alarms. ``-occluded`` pastes kinds of occluders on them that
the detector never saw.
"""

_base_ = [
    '../_base_/datasets/cartoon_faces.py',
    '../_base_/models/mae_vit-tiny.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
data_root = 'data/faces'
mae_checkpoint = 'work_dirs/mae_vit-tiny_cartoon/epoch_40.pth'
max_epochs = 6  # with many more, all patches become similar
lr = 1e-4  # for 64 images a step; latents are whitened

# ------------------------------------------------- things you may change
meta_keys = (
    'sample_idx',
    'img_path',
    'ori_shape',
    'img_shape',
    'occlusion_kind',
    'patch_coverage',
)
paste = dict(
    type='mmocc.PasteOcclusion',
    occluders=f'{data_root}/occluders/train',
    patch_size={{_base_.mae_patch_size}},
)
# Only uncovered patches train the detector; the ViT also sees the others, as
# it does later.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(paste, prob=0.5),
    dict(type='PackInputs', meta_keys=meta_keys),
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(paste, seed=0),
    dict(type='PackInputs', meta_keys=meta_keys),
]
# Faces of any size get that of the model.
resize = dict(type='Resize', scale=(64, 64))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='PackInputs', meta_keys=meta_keys),
]
occluded_test_pipeline = [  # of the config -occluded
    dict(type='LoadImageFromFile'),
    resize,
    dict(paste, occluders=f'{data_root}/occluders/test', seed=0),
    dict(type='PackInputs', meta_keys=meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmocc.PatchOcclusionMetric', threshold=0.5)]
test_evaluator = val_evaluator

held_out = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.FaceFolder',
        data_root=data_root,
        ann_file='val/labels.csv',
        pipeline=test_pipeline,
    ),
)
model = dict(
    _delete_=True,  # the base's model is the MAE alone
    type='mmocc.PatchSVDD',
    extractor=dict(
        type='mmocc.PatchLatentExtractor',
        mae={{_base_.model}},
        init_cfg=dict(type='Pretrained', checkpoint=mae_checkpoint),
    ),
    nu=0.01,  # with 0.1 clean eyes and mouths would be reconstructed
    objective='one-class',
    whiten=True,
)
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.FitRadiusHook', at_start=True),  # the whitening
    # on clean faces of people that training has not seen
    dict(type='mmocc.FitRadiusHook', dataloader=held_out),
]
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=lr, weight_decay=1e-6),  # Eq. 1's lambda
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=3)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=3, max_keep_ckpts=1))
