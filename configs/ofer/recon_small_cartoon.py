"""Stage 3 of Latent-OFER on cartoon faces: reconstruct hidden patches.

Training hides random patches of clean faces, and so does the test, always the
same ones, as in the tables 8 and 9 of the paper: the faces themselves stay as
they are. Validation pastes occluders, and reconstructs all patches that these
touch; so does the test of ``-occluded``, with kinds that no stage has seen.
First train mae_vit-tiny_cartoon.py and
expression_resnet18_cartoon.py.
"""

_base_ = [
    '../_base_/datasets/cartoon_faces.py',
    '../_base_/models/mae_vit-tiny.py',
    '../_base_/models/hybrid_recon_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
data_root = 'data/faces'
mae_checkpoint = 'work_dirs/mae_vit-tiny_cartoon/epoch_40.pth'
expression_checkpoint = 'work_dirs/expression_resnet18_cartoon/epoch_15.pth'
max_epochs = 20

# ------------------------------------------------- things you may change
paste = dict(
    type='mmocc.PasteOcclusion',
    patch_size=8,
    prob=1.0,
    keep_clean=True,
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
# Faces of any size get that of the model.
resize = dict(type='Resize', scale=(64, 64))
val_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(paste, occluders=f'{data_root}/occluders/train'),
    pack,
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='mmocc.DrawPatchMask', patch_size=8),
    pack,
]
occluded_test_pipeline = [  # of the config -occluded
    dict(type='LoadImageFromFile'),
    resize,
    dict(paste, occluders=f'{data_root}/occluders/test'),
    pack,
]
train_dataloader = dict(batch_size=32)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='mmocc.ReconstructionQuality', _delete_=True)
test_evaluator = dict(type='mmocc.ReconstructionQuality', _delete_=True)

expression = dict(
    type='ImageClassifier',
    backbone={{_base_.expression_backbone}},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=128),
)
model = dict(
    _delete_=True,  # the base's model is the MAE alone
    type='mmocc.HybridReconstructor',
    extractor=dict(
        type='mmocc.PatchLatentExtractor',
        mae={{_base_.model}},
        init_cfg=dict(type='Pretrained', checkpoint=mae_checkpoint),
    ),
    unet={{_base_.hybrid_unet}},
    mask=dict(share=(0.1, 0.5), roughness=0.5),
    discriminator={{_base_.recon_discriminator}},
    feature_discriminator={{_base_.recon_feature_discriminator}},
    features=dict(
        type='mmocc.FrozenNet',
        net={{_base_.expression_backbone}},
        layers=dict(discriminator='layer1', consistency='layer3'),
        init_cfg=dict(
            type='Pretrained',
            checkpoint=expression_checkpoint,
            prefix='backbone.',
        ),
    ),
    expression=dict(
        type='mmocc.FrozenNet',
        net=expression,
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
adam = dict(type='Adam', lr=1e-3, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='mmocc.MultiOptimWrapperConstructor',
    parts=dict(unet=adam, discriminator=adam, feature_discriminator=adam),
)
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=10)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
