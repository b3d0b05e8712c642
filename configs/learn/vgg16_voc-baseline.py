"""Phase 1 of LEARN on VOC objects: VGG-16, from ImageNet, on clean crops."""

_base_ = [
    '../_base_/models/vgg16.py',
    '../_base_/datasets/voc_objects.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 20
lr = 1e-3  # for 64 images a step
pretrained = 'https://download.openmmlab.com/mmclassification/v0/vgg/vgg16_batch256_imagenet_20210208-db26f1a5.pth'

# ------------------------------------------------- things you may change
# mmpretrain keeps the FC layers under "backbone.classifier", so the same
# prefix serves both; the last layer, for 1000 classes, is left at random.
init_cfg = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(backbone=dict(init_cfg=init_cfg), head=dict(init_cfg=init_cfg))
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=5e-4),
    # the new last layer learns ten times as fast
    paramwise_cfg=dict(custom_keys={'head.classifier.6': dict(lr_mult=10)}),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
