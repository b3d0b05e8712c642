"""Stage 4 of Latent-OFER on occluded KDEF: the paper's Syn-KDEF.

Its table 3 has 86.7 %. The paper names hands and cups, but no other occluders,
no sizes, and no share of occluded faces. The test takes faces as they are, and
``-occluded`` pastes on them, as validation does. We have not run it.
"""

_base_ = './ofer_resnet18_rafdb.py'

# ------------------------------------------------ things you will change
data_root = 'data/kdef'
# Drawn hands, cups and more of tools/dataset_converters/make_faces.py: use
# folders of cut-outs of photos instead.
occluders = 'data/faces/occluders'

# ------------------------------------------------- things you may change
paste = dict(
    type='mmocc.PasteOcclusion',
    patch_size=16,
    prob=1.0,
    seed=0,
    # Eyes, nose and corners of the mouth as shares of the picture, roughly,
    # for face masks: check your pictures.
    landmarks=[
        (0.36, 0.48),
        (0.64, 0.48),
        (0.50, 0.61),
        (0.39, 0.73),
        (0.61, 0.73),
    ],
)
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
    dict(paste, occluders=f'{occluders}/train'),
    dict(type='PackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs', meta_keys=meta_keys),
]
occluded_test_pipeline = [  # also of validation
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(paste, occluders=f'{occluders}/test'),
    dict(type='PackInputs', meta_keys=meta_keys),
]
dataset = dict(type='mmocc.KDEF', data_root=data_root)
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(dataset, pipeline=occluded_test_pipeline))
test_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
test_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='mmocc.MeanClassAccuracy'),
    dict(type='mmocc.PatchOcclusionMetric'),
]

# The photos are the same in each epoch, so the frozen stages run once.
model = dict(cache='work_dirs/ofer_cache/kdef', flip_prob=0.5)
