"""Stage 3 of Latent-OFER on RAF-DB, in the size of its released code.

Loss weights are those of the paper, optimizer and schedule those of the
released code (20 + 100 epochs), except that batches have 8 pictures, not one.
The U-Net works at 256 pixels, the MAE at 224. The test hides irregular regions
of clean faces, as in the tables 8 and 9; that of ``-occluded`` pastes
occluders. First train mae_vit-b_faces.py and expression_resnet18_faces.py. We
have not run it.
"""

_base_ = [
    '../_base_/datasets/rafdb.py',
    '../_base_/models/mae_vit-b.py',
    '../_base_/models/hybrid_recon_release.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
occluders = 'data/face_occluders'  # RGBA cut-outs: train/KIND, test/KIND
mae_checkpoint = 'work_dirs/mae_vit-b_faces/epoch_100.pth'
expression_checkpoint = 'work_dirs/expression_resnet18_faces/epoch_30.pth'

# ------------------------------------------------- things you may change
paste = dict(
    type='mmocc.PasteOcclusion',
    patch_size=16,
    prob=1.0,
    keep_clean=True,
    landmarks={{_base_.rafdb_landmarks}},
    seed=0,
)
pack = dict(
    type='PackInputs',
    meta_keys=(
        'sample_idx',
        'img_path',
        'ori_shape',
        'img_shape',
        'occlusion_kind',
        'patch_coverage',
        'clean_img',
    ),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
occluded_test_pipeline = [  # also of validation
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(paste, occluders=f'{occluders}/test'),
    pack,
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='mmocc.DrawPatchMask', patch_size=16),
    pack,
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8, dataset=dict(pipeline=occluded_test_pipeline)
)
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='mmocc.ReconstructionQuality', _delete_=True)
test_evaluator = dict(type='mmocc.ReconstructionQuality', _delete_=True)

model = dict(
    _delete_=True,  # the base's model is the MAE alone
    type='mmocc.HybridReconstructor',
    size=256,
    extractor=dict(
        type='mmocc.PatchLatentExtractor',
        mae={{_base_.model}},
        init_cfg=dict(type='Pretrained', checkpoint=mae_checkpoint),
    ),
    unet={{_base_.hybrid_unet}},
    mask=dict(share=(0.1, 0.5), roughness=0.5),
    discriminator={{_base_.recon_discriminator}},
    feature_discriminator={{_base_.recon_feature_discriminator}},
    features={{_base_.recon_features}},
    expression=dict(
        type='mmocc.FrozenNet',
        net=dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet', depth=18),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=7, in_channels=512),
        ),
        init_cfg=dict(type='Pretrained', checkpoint=expression_checkpoint),
    ),
    # the paper's weights
    loss_rec=dict(
        type='mmocc.FeatureReconstructionLoss', distance='l1', loss_weight=1.0
    ),
    loss_consistency=dict(
        type='mmocc.FeatureConsistencyLoss', loss_weight=0.01
    ),
    loss_semantic=dict(type='mmocc.SemanticConsistencyLoss', loss_weight=1.0),
    loss_gan=dict(type='mmocc.RelativisticGANLoss', loss_weight=0.002),
)
adam = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='mmocc.MultiOptimWrapperConstructor',
    parts=dict(unet=adam, discriminator=adam, feature_discriminator=adam),
)
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
# Constant for 19 epochs, then down to 0 in the last one.
param_scheduler = dict(
    type='LinearLR', start_factor=1.0, end_factor=0.0, begin=18, end=120
)
train_cfg = dict(by_epoch=True, max_epochs=120, val_interval=10)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=1))
