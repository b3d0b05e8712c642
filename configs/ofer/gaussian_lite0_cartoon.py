"""Stage 2 of Latent-OFER on cartoon faces: the detector that finds most.

Instead of the paper's: features of EfficientNet-Lite0, trained on ImageNet,
and a Gaussian for each patch of the face (PaDiM). It needs no other stage.
About two minutes on one core. The test takes clean faces: ``patch/flagged`` is
the share of false alarms. ``-occluded`` pastes kinds of occluders on them that
the detector never saw.
"""

_base_ = [
    '../_base_/datasets/cartoon_faces.py',
    '../_base_/models/patch_gaussian_lite0.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
data_root = 'data/faces'

# ------------------------------------------------- things you may change
meta_keys = (
    'sample_idx',
    'img_path',
    'ori_shape',
    'img_shape',
    'occlusion_kind',
    'patch_coverage',
    'subject',
)
paste = dict(
    type='mmocc.PasteOcclusion',
    occluders=f'{data_root}/occluders/train',
    patch_size=8,
    seed=0,
)
# Faces of any size get that of the model.
resize = dict(type='Resize', scale=(64, 64))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='PackInputs', meta_keys=meta_keys),
]
test_pipeline = train_pipeline
val_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    paste,
    dict(type='PackInputs', meta_keys=meta_keys),
]
occluded_test_pipeline = [  # of the config -occluded
    dict(type='LoadImageFromFile'),
    resize,
    dict(paste, occluders=f'{data_root}/occluders/test'),
    dict(type='PackInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    drop_last=False,
    sampler=dict(shuffle=False),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmocc.PatchOcclusionMetric', threshold=0.5)]
test_evaluator = val_evaluator

model = {{_base_.patch_gaussian}}
optim_wrapper = dict(constructor='mmocc.NoOptimWrapperConstructor')
train_cfg = dict(type='mmocc.FitLoop')
val_cfg = dict()
test_cfg = dict()
