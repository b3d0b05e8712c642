"""Stage 2 of Latent-OFER on RAF-DB: the detector that finds most here.

Like gaussian_lite0_cartoon.py, at 224 pixels and on the 14 x 14 patches of the
ViT-B/16; the paper's detector is svdd_vit-b_faces.py. The radius is
cross-fitted: RAF-DB has no validation split. We have not run it.
"""

_base_ = [
    '../_base_/datasets/rafdb.py',
    '../_base_/models/patch_gaussian_lite0.py',
    '../_base_/default_runtime.py',
]

# ------------------------------------------------ things you will change
# A folder of RGBA pictures for each kind, different ones for train and test:
# hands, cups; folders of face masks also hold MaskTheFace's masks.cfg.
occluders = 'data/face_occluders'

# ------------------------------------------------- things you may change
meta_keys = (
    'sample_idx',
    'img_path',
    'ori_shape',
    'img_shape',
    'occlusion_kind',
    'patch_coverage',
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs', meta_keys=meta_keys),
]
test_pipeline = train_pipeline
occluded_test_pipeline = [  # also of validation
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(
        type='mmocc.PasteOcclusion',
        occluders=f'{occluders}/test',
        patch_size=16,
        landmarks={{_base_.rafdb_landmarks}},
        seed=0,
    ),
    dict(type='PackInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    drop_last=False,
    sampler=dict(shuffle=False),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=occluded_test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmocc.PatchOcclusionMetric', threshold=0.5)]
test_evaluator = val_evaluator

model = {{_base_.patch_gaussian_faces}}
optim_wrapper = dict(constructor='mmocc.NoOptimWrapperConstructor')
train_cfg = dict(type='mmocc.FitLoop')
val_cfg = dict()
test_cfg = dict()
