"""An expression network on clean cartoon faces, for the losses of stage 3."""

_base_ = [
    '../_base_/datasets/cartoon_faces.py',
    '../_base_/models/hybrid_recon_small.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 15

# ------------------------------------------------- things you may change
model = dict(
    type='ImageClassifier',
    backbone={{_base_.expression_backbone}},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=7, in_channels=128, topk=(1,)),
)
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
