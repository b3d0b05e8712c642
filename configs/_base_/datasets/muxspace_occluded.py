"""Data sets of muxspace for Latent-OFER: occluded photos.

configs/ofer/*_muxspace.py use them instead of the cartoon faces. People and
occluders of the test are in no training; the occluders are those of FER2013,
see tools/dev/prepare_fer2013.py. All photos are made grey, like most of them.
"""

muxspace_root = 'data/muxspace_expressions'
muxspace_things = 'data/fer2013/occluders'

muxspace_load = dict(type='LoadImageFromFile')
muxspace_grey = dict(type='RandomGrayscale', prob=1.0, keep_channels=True)
muxspace_flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
muxspace_shrink = dict(type='Resize', scale=(64, 64), interpolation='area')
muxspace_paste = dict(
    type='mmocc.PasteOcclusion',
    occluders=f'{muxspace_things}/train',
    patch_size=8,
    # places of eyes, nose and mouth in most photos, estimated
    landmarks=[(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.36, 0.77), (0.64, 0.77)],
)
muxspace_pack = dict(
    type='PackInputs',
    meta_keys=(
        'sample_idx',
        'img_path',
        'ori_shape',
        'img_shape',
        'occlusion_kind',
        'patch_coverage',
    ),
)

muxspace_pasted_train = dict(
    data_root=muxspace_root,
    ann_file='labels.csv',
    label_column='emotion',
    class_map=dict(
        anger='Anger',
        contempt=None,  # 9 pictures
        disgust='Disgust',
        fear='Fear',
        happiness='Happiness',
        neutral='Neutral',
        sadness='Sadness',
        surprise='Surprise',
    ),
    # George_W_Bush_0520 is of George_W_Bush; see muxspace_faces.py.
    subject_pattern=r'(.+?)(?:_\d+)?$',
    subjects=(0.3, 1.0),
    pipeline=[
        muxspace_load,
        muxspace_grey,
        muxspace_shrink,
        muxspace_flip,
        dict(muxspace_paste, prob=0.5),
        muxspace_pack,
    ],
)
muxspace_pasted_val = dict(
    muxspace_pasted_train,
    subjects=(0.2, 0.3),
    pipeline=[
        muxspace_load,
        muxspace_grey,
        muxspace_shrink,
        dict(muxspace_paste, seed=0),
        muxspace_pack,
    ],
)
# Photos as they are, but grey and of the model's size like those of training
muxspace_test = dict(
    muxspace_pasted_train,
    subjects=(0.0, 0.2),
    pipeline=[muxspace_load, muxspace_grey, muxspace_shrink, muxspace_pack],
)
muxspace_pasted_test = dict(
    muxspace_test,
    pipeline=[
        muxspace_load,
        muxspace_grey,
        muxspace_shrink,
        dict(muxspace_paste, occluders=f'{muxspace_things}/test', seed=0),
        muxspace_pack,
    ],
)
# Clean photos of people that no detector has learnt from, for its radius
muxspace_held_out = dict(
    muxspace_test, type='mmocc.FaceFolder', subjects=(0.2, 0.3)
)
