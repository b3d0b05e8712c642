"""weakened_lite0_my_faces.py on photos of faces_mux6: six expressions.

The test takes clean faces of people that no training has seen; validation
takes the same ones, once, at the end. ``-occluded`` pastes unseen kinds of
occluders on them. docs/results/ofer_features.md has the figures.
"""

_base_ = [
    './weakened_lite0_my_faces.py',
    '../_base_/datasets/mux6_occluded.py',
]

mux6_number = len(_base_.mux6_classes)
mux6_new = dict(type='mmocc.FaceFolder', _delete_=True)
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        _base_.mux6_train,
        **mux6_new,
        pipeline=[
            _base_.mux6_load,
            _base_.mux6_grey,
            _base_.mux6_resize,
            _base_.my_flip,
            dict(_base_.mux6_paste, prob=0.5, seed=None),
            _base_.mux6_pack,
        ],
    ),
)
val_dataloader = dict(dataset=dict(_base_.mux6_test, **mux6_new))
test_dataloader = val_dataloader
custom_hooks = [
    dict(type='mmocc.EpochSeedHook'),
    dict(
        type='mmocc.FitRadiusHook',
        at_start=True,
        dataloader=dict(
            _base_.my_loader,
            dataset=dict(_base_.mux6_train, type='mmocc.FaceFolder'),
        ),
    ),
]
data_preprocessor = dict(num_classes=mux6_number)
model = dict(head=dict(num_classes=mux6_number))
train_cfg = dict(val_interval=25)
