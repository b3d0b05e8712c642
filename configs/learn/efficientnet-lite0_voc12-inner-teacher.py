"""The same without labels: the frozen model's clean answer is the target."""

_base_ = './efficientnet-lite0_voc12-inner.py'

# ------------------------------------------------- things you may change
model = dict(labels='teacher', loss_cls=None)
