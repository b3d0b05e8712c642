"""Phase 1 of LEARN on the embedded digits: EfficientNet-Lite0, fine-tuned.

From ImageNet's weights, at 112 pixels. The demo runs it.
"""

_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/digits_voc.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 4
lr = 1e-3  # for 32 images a step
image_size = 112

# ------------------------------------------------- things you may change
# No random step: LEARN's clean_cache needs the same images in each epoch.
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmocc.CropObject', with_mask=True),
    dict(type='Resize', scale=(image_size, image_size)),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
data_preprocessor = dict(mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0])
model = dict(
    backbone=dict(frozen_stages=3),  # halves the time; edges serve digits too
    head=dict(num_classes=10),
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
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
