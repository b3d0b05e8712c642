"""Stage 2 of Latent-OFER on RAF-DB: the detector over ViT-B/16 latents.

The paper trains it on KDEF with "objects such as hands and cups" pasted, and
gives no size, schedule or radius. Latents are whitened at each position, as
in PaDiM, which is not in the paper; gaussian_lite0_faces.py finds more. The
test takes clean faces: its ``patch/flagged`` is the share of false alarms;
``-occluded`` pastes on them. We have not run it.
"""

_base_ = [
    '../_base_/datasets/rafdb.py',
    '../_base_/models/mae_vit-b.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
# A folder of RGBA pictures for each kind, different ones for train and test:
# hands, cups; folders of face masks also hold MaskTheFace's masks.cfg.
occluders = 'data/face_occluders'
mae_checkpoint = 'work_dirs/mae_vit-b_faces/epoch_100.pth'
max_epochs = 5
lr = 1e-4  # for 128 images a step
batch_size = 128

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
    occluders=f'{occluders}/train',
    patch_size={{_base_.mae_patch_size}},
    landmarks={{_base_.rafdb_landmarks}},
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(paste, prob=0.5),
    dict(type='PackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs', meta_keys=meta_keys),
]
occluded_test_pipeline = [  # also of validation
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(paste, occluders=f'{occluders}/test', seed=0),
    dict(type='PackInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    batch_size=batch_size,
    # the last 1,000 of RAF-DB's 12,271 are for the radius
    dataset=dict(indices=11_271, pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=occluded_test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmocc.PatchOcclusionMetric', threshold=0.5)]
test_evaluator = val_evaluator

held_out = dict(
    batch_size=batch_size,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.RAFDB',
        data_root={{_base_.data_root}},
        split='train',
        indices=-1000,
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
    nu=0.05,
    objective='one-class',
    whiten=True,  # without, little is found: docs/results/ofer.md
    random_dims=64,  # of 768
)
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.FitRadiusHook', at_start=True),  # the whitening
    # on clean photos that training leaves out
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
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
auto_scale_lr = dict(base_batch_size=128)
