"""A control of LEARN on CIFAR-10: the baseline trained with CutMix."""

_base_ = './resnet18_cifar10-baseline.py'

# ------------------------------------------------- things you may change
model = dict(
    head=dict(loss=dict(type='CrossEntropyLoss', use_soft=True)),
    train_cfg=dict(
        # half of the batches, as arXiv 1905.04899 does on CIFAR
        augments=dict(type='CutMix', alpha=1.0),
        probs=0.5,
    ),
)
