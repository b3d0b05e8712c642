"""Faces of faces_mux6 for Latent-OFER: photos, clean and occluded.

1,685 and 785 photos of muxspace/facial_expressions with six expressions, of
which train.csv and test.csv share no person (docs/faces.md). The occluders are
those of FER2013, see tools/dev/prepare_fer2013.py; no kind is in both train
and test. All photos are made grey, like most of them.
"""

mux6_root = 'data/faces_mux6'
mux6_things = 'data/fer2013/occluders'
mux6_classes = (
    'Surprise',
    'Disgust',
    'Happiness',
    'Sadness',
    'Anger',
    'Neutral',
)

mux6_load = dict(type='LoadImageFromFile')
mux6_grey = dict(type='RandomGrayscale', prob=1.0, keep_channels=True)
mux6_resize = dict(type='Resize', scale=(128, 128), interpolation='area')
mux6_paste = dict(
    type='mmocc.PasteOcclusion',
    occluders=f'{mux6_things}/train',
    patch_size=16,
    # places of eyes, nose and mouth in most photos, estimated
    landmarks=[(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.36, 0.77), (0.64, 0.77)],
    seed=0,
)
mux6_pack = dict(
    type='PackInputs',
    meta_keys=(
        'sample_idx',
        'img_path',
        'ori_shape',
        'img_shape',
        'occlusion_kind',
        'patch_coverage',
        'subject',
    ),
)

mux6_train = dict(
    data_root=mux6_root,
    ann_file='train.csv',
    classes=mux6_classes,
    pipeline=[mux6_load, mux6_grey, mux6_resize, mux6_pack],
)
mux6_test = dict(mux6_train, ann_file='test.csv')
mux6_pasted_val = dict(
    mux6_train,
    indices=300,
    pipeline=[mux6_load, mux6_grey, mux6_resize, mux6_paste, mux6_pack],
)
mux6_pasted_test = dict(
    mux6_test,
    pipeline=[
        mux6_load,
        mux6_grey,
        mux6_resize,
        dict(mux6_paste, occluders=f'{mux6_things}/test'),
        mux6_pack,
    ],
)
