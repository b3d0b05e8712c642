"""Action localization from labels of whole videos: the control, Video-full.

Section 4.3 of arXiv 1704.04232 with sequences of features that the project
draws (mmocc.ActionSequences), since we do not have THUMOS'14. The paper has
mAP 34.23 / 25.68 / 17.72 / 11.00 / 6.11 at IoU 0.1 to 0.5, and with hiding
36.44 / 27.84 / 19.49 / 12.66 / 6.84; docs/results/hide_and_seek.md has these
two configs. Half a minute on one CPU core.
"""

_base_ = '../_base_/default_runtime.py'

# ------------------------------------------------ things you will change
num_classes = 5
channels = 32
max_epochs = 20

# ------------------------------------------------- things you may change
pack = dict(type='PackInputs', meta_keys=('sample_idx',))
train_pipeline = [pack]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmocc.ActionSequences',
        split='train',
        num_videos=500,
        num_classes=num_classes,
        channels=channels,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmocc.ActionSequences',
        split='test',
        num_videos=500,
        num_classes=num_classes,
        channels=channels,
        with_segments=True,
        pipeline=[
            dict(type='PackInputs', meta_keys=('sample_idx', 'gt_segments'))
        ],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.TemporalMeanAP', threshold=0.5, min_score=0.1),
]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3, weight_decay=5e-4))
param_scheduler = []
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()

# --------------------------------------------------------------- the model
data_preprocessor = dict(num_classes=num_classes)  # features need no scaling
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmocc.TemporalConvNet', in_channels=channels, channels=64
    ),
    head=dict(
        type='mmocc.CAMHead',
        num_classes=num_classes,
        in_channels=64,
        pool='max',
        maps=('all',),
        topk=(1,),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
