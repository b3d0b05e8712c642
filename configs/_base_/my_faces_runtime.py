"""What a network of expressions of your own faces is tested by, and when."""

_base_ = './default_runtime.py'

val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
]
test_evaluator = [
    *val_evaluator,
    dict(type='SingleLabelMetric', average=None),
    dict(type='ConfusionMatrix'),
    dict(type='mmocc.PatchOcclusionMetric'),
]
train_cfg = dict(by_epoch=True, val_interval=5)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
