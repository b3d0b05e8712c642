"""A control of LEARN on 12 classes of VOC: fine-tuned with CutMix."""

_base_ = './efficientnet-lite0_voc12-finetuned.py'

# ------------------------------------------------- things you may change
model = dict(
    head=dict(loss=dict(type='CrossEntropyLoss', use_soft=True)),
    train_cfg=dict(augments=dict(type='CutMix', alpha=1.0), probs=0.5),
)
