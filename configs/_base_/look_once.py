"""A run of a model that learns normal images by looking at them once."""

_base_ = './det_runtime.py'

# No validation: the held-back images only tell what is normal.
train_cfg = dict(by_epoch=True, max_epochs=1, val_begin=2)
# mmengine wants an optimizer; nothing is changed by it.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.0))
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.AnomalyReferenceHook'),
]
