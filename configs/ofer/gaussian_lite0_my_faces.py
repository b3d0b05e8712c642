"""Occluded patches of your own faces: _base_/datasets/my_faces.py.

``mmocc train ofer --data FOLDER`` runs it first.
"""

_base_ = [
    '../_base_/datasets/my_faces.py',
    '../_base_/models/patch_gaussian_lite0.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    sampler=dict(shuffle=False),
    dataset=dict(pipeline={{_base_.my_test_pipeline}}),
)
val_dataloader = dict(
    dataset=dict(pipeline={{_base_.my_occluded_pipeline}}),
)
val_evaluator = [dict(type='mmocc.PatchOcclusionMetric', threshold=0.5)]
test_evaluator = val_evaluator

model = {{_base_.patch_gaussian}}
optim_wrapper = dict(constructor='mmocc.NoOptimWrapperConstructor')
train_cfg = dict(type='mmocc.FitLoop')
val_cfg = dict()
test_cfg = dict()
