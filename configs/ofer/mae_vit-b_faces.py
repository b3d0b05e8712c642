"""Stage 1 of Latent-OFER: mmpretrain's ViT-B/16 MAE, fine-tuned on faces.

The paper gives neither the size of the ViT nor a fine-tuning. We have not run
it.
"""

_base_ = [
    '../_base_/datasets/rafdb.py',
    '../_base_/models/mae_vit-b.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
# mmpretrain's mae_vit-base-p16_8xb512-amp-coslr-1600e_in1k
load_from = 'https://download.openmmlab.com/mmselfsup/1.x/mae/mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k/mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k_20220825-f7569ca2.pth'
max_epochs = 100
lr = 1.5e-4  # for 256 images a step
batch_size = 128

# ------------------------------------------------- things you may change
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.5, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(pipeline=train_pipeline)
)
# A MAE predicts nothing: it is not validated.
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None

data_preprocessor = dict(
    _delete_=True,  # that of a MAE has no classes
    type='SelfSupDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.95), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.0001,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        begin=5,
        T_max=max_epochs - 5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
default_hooks = dict(checkpoint=dict(interval=10))
auto_scale_lr = dict(base_batch_size=256)
