"""Stage 1 of Latent-OFER on cartoon faces: a small MAE.

About 5 minutes on one core; --amp is not faster for a model of this size.
"""

_base_ = [
    '../_base_/datasets/cartoon_faces.py',
    '../_base_/models/mae_vit-tiny.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 40
lr = 1.5e-3  # for 32 images a step

# ------------------------------------------------- things you may change
train_dataloader = dict(batch_size=32)
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
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        end=2,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        begin=2,
        T_max=max_epochs - 2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
