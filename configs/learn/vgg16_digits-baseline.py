"""Phase 1 of LEARN on the embedded digits: a VGG-16 from scratch."""

_base_ = [
    '../_base_/models/vgg16.py',
    '../_base_/datasets/digits_voc.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 4
lr = 3e-4  # for 16 images a step

# ------------------------------------------------- things you may change
model = dict(
    # from scratch, VGG-16 needs batch norm
    backbone=dict(norm_cfg=dict(type='BN')),
    # 64 pixels make maps of 2x2
    head=dict(
        num_classes=10,
        feat_size=2,
        hidden_channels=512,
        dropout=0.2,
        init_cfg=None,  # PyTorch's own
    ),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05))
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.1, end=0.5, convert_to_iter_based=True
    ),
    dict(
        type='CosineAnnealingLR',
        begin=0.5,
        T_max=max_epochs - 0.5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
