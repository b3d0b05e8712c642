"""Expressions of your own faces; features are weakened where one is hidden.

``mmocc train ofer --data FOLDER --weaken`` runs it. The network of ImageNet is
frozen: the detector and the statistics are fitted to the clean faces of
training at the start, then a small head learns, from faces of which half are
occluded by drawn things. docs/results/ofer_features.md says what it gains. The
test takes faces as they are.
"""

_base_ = [
    '../_base_/datasets/my_faces.py',
    '../_base_/models/weakened_lite0.py',
    '../_base_/my_faces_runtime.py',
]

# ------------------------------------------------ things you will change
max_epochs = 25
lr = 1e-3  # for 16 images a step

# ------------------------------------------------- things you may change
model = dict(head=dict(num_classes=_base_.my_number))
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.1),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, convert_to_iter_based=True
    )
]
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(
        type='mmocc.FitRadiusHook',
        at_start=True,
        dataloader=dict(
            _base_.my_loader,
            dataset=dict(
                _base_.my_faces,
                subjects=(0.2, 1.0),
                pipeline=_base_.my_test_pipeline,
            ),
        ),
    ),
]
train_cfg = dict(max_epochs=max_epochs)
