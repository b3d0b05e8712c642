"""Stage 4 of Latent-OFER on cartoon faces, with all parts.

Half of the training faces are occluded, the same ones in each epoch. The test
takes faces as they are; ``-occluded`` pastes kinds of occluders on them that
no stage has seen.
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
svdd_checkpoint = 'work_dirs/svdd_vit-tiny_cartoon/epoch_6.pth'
expression_checkpoint = 'work_dirs/expression_resnet18_cartoon/epoch_15.pth'
recon_checkpoint = 'work_dirs/recon_small_cartoon/epoch_20.pth'
cache = 'work_dirs/ofer_cache/cartoon'  # delete it when a stage has changed
max_epochs = 12

# ------------------------------------------------- things you may change
patch_size = 8
meta_keys = (
    'sample_idx',
    'img_path',
    'ori_shape',
    'img_shape',
    'occlusion_kind',
    'patch_coverage',
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='mmocc.PasteOcclusion',
        occluders=f'{data_root}/occluders/train',
        patch_size=patch_size,
        prob=0.5,
        seed=0,
    ),
    dict(type='PackInputs', meta_keys=meta_keys),
]
# Faces of any size get that of the model.
resize = dict(type='Resize', scale=(64, 64))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='PackInputs', meta_keys=meta_keys),
]
occluded_test_pipeline = [  # of the configs -occluded
    dict(type='LoadImageFromFile'),
    resize,
    dict(
        type='mmocc.PasteOcclusion',
        occluders=f'{data_root}/occluders/test',
        patch_size=patch_size,
        prob=1.0,
        seed=0,
    ),
    dict(type='PackInputs', meta_keys=meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = [*val_evaluator, dict(type='mmocc.PatchOcclusionMetric')]

model = dict(
    _delete_=True,  # the base's model is the MAE alone
    type='mmocc.LatentOFER',
    extractor=dict(
        type='mmocc.PatchLatentExtractor',
        mae={{_base_.model}},
        init_cfg=dict(type='Pretrained', checkpoint=mae_checkpoint),
    ),
    detector=dict(
        type='mmocc.PatchSVDD',
        extractor=None,  # the model's own
        whiten=True,
        init_cfg=dict(type='Pretrained', checkpoint=svdd_checkpoint),
    ),
    reconstructor=dict(
        type='mmocc.HybridReconstructor',
        extractor=None,
        unet={{_base_.hybrid_unet}},
        init_cfg=dict(type='Pretrained', checkpoint=recon_checkpoint),
    ),
    # Already trained on faces, like that of the paper (on MS-Celeb-1M).
    backbone=dict(
        type='ResNet',
        depth=18,
        num_stages=3,
        stem_channels=32,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),  # 128 x 8 x 8
        init_cfg=dict(
            type='Pretrained',
            checkpoint=expression_checkpoint,
            prefix='backbone.',
        ),
    ),
    head=dict(
        type='mmocc.OFERHead',
        num_classes=7,
        in_channels=128,
        selector=dict(type='mmocc.LatentTokenSelector', ratio=0.5),
        readout=dict(type='mmocc.LatentProjection', in_dims=96, out_dims=256),
    ),
    flip_prob=0.5,
    cache=cache,
)
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=4)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(
    checkpoint=dict(interval=4, max_keep_ckpts=1),
    visualization=dict(type='mmocc.OFERVisualizationHook', enable=False),
)
