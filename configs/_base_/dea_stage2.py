"""A run of DEA's decoder: optimizer, evaluators and hooks."""

_base_ = './dea_stage1.py'

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4),
    constructor='mmocc.TrainableOptimWrapperConstructor',
)
test_evaluator = [
    dict(type='mmocc.KnownClassCocoMetric', metric='bbox'),
    dict(
        type='mmocc.ObjectAnomalyMetric',
        background=1.0,
        image_confidence=0.3,  # the threshold of mmdet's pictures
    ),
]
# Validation pages are normal and were not trained on: they tell what is usual.
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(type='mmocc.CheckClassesHook'),
    dict(type='mmocc.AnomalyReferenceHook'),
]
default_hooks = dict(
    visualization=dict(
        type='mmocc.ReconstructionVisualizationHook', enable=False
    )
)
