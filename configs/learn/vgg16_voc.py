"""Phase 2 of LEARN on VOC objects: the frozen VGG-16 of phase 1."""

_base_ = ['./vgg16_voc-baseline.py', '../_base_/learn.py']

# ------------------------------------------------ things you will change
load_from = 'work_dirs/vgg16_voc-baseline/epoch_20.pth'
baseline_config = 'configs/learn/vgg16_voc-baseline.py'
max_epochs = 10

# ------------------------------------------------- things you may change
model = dict(
    type='mmocc.LEARNClassifier',
    neck=dict(type='mmocc.LEARN', in_channels=512),
    occluder={{_base_.learn_occluder}},
    loss_rec={{_base_.learn_loss_rec}},
    loss_intra={{_base_.learn_loss_intra}},
    loss_inter={{_base_.learn_loss_inter}},
    loss_cls={{_base_.learn_loss_cls}},
)
optim_wrapper = {{_base_.learn_optim_wrapper}}
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
train_cfg = dict(max_epochs=max_epochs)
