"""A run of DEA's detector: evaluators and hooks."""

_base_ = './det_runtime.py'

# Without an ann_file, the metric reads the truth from the samples. The second
# entry is AP90, where the losses of boxes differ most.
val_evaluator = [
    dict(type='mmocc.KnownClassCocoMetric', metric='bbox'),
    dict(
        type='mmocc.KnownClassCocoMetric',
        metric='bbox',
        iou_thrs=[0.9],
        metric_items=['mAP'],
        prefix='coco90',
    ),
]
test_evaluator = val_evaluator
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.CheckClassesHook'),
]
