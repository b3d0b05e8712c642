"""TS-CAM: DeiT-S on CUB-200-2011, with the settings of its released code."""

_base_ = [
    '../_base_/datasets/cub_wsol.py',
    '../_base_/ten_crop.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
pretrained = 'https://download.openmmlab.com/mmclassification/v0/deit/deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth'

# ------------------------------------------------- things you may change
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmocc.TSCAMViT',
        arch='deit-small',
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained', checkpoint=pretrained, prefix='backbone.'
        ),
    ),
    head=dict(
        type='mmocc.TSCAMHead',
        num_classes=200,
        in_channels=384,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1,),
    ),
)
train_dataloader = dict(batch_size=128)
# The cells of a ViT's map are its patches: both alignments agree.
val_evaluator = [
    dict(type='mmocc.LocalizationAccuracy', threshold=0.1, normalize='minmax'),
    dict(type='mmocc.MaxBoxAcc'),
]
test_evaluator = val_evaluator

# ------------------------------------------------- the schedule
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-5, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            '.cls_token': dict(decay_mult=0.0),
            '.pos_embed': dict(decay_mult=0.0),
        },
    ),
)
# The code multiplies the rate by 0.1 at the start of its epochs 30 and 60.
param_scheduler = [dict(type='MultiStepLR', milestones=[29, 59], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
