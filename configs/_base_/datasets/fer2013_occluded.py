"""Data sets of FER2013 for Latent-OFER: faces, clean and occluded.

configs/ofer/*_fer2013.py use them instead of the cartoon faces.
tools/dev/prepare_fer2013.py writes them; no kind of occluder is in both train
and test.
"""

fer2013_root = 'data/fer2013'
fer2013_things = f'{fer2013_root}/occluders'

fer2013_load = dict(type='LoadImageFromFile')
fer2013_flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
fer2013_enlarge = dict(type='Resize', scale=(64, 64))
# On faces of 48 pixels, before they are enlarged, so that occluders are not
# sharper than faces. Both sizes have 8 x 8 patches.
fer2013_paste = dict(
    type='mmocc.PasteOcclusion',
    occluders=f'{fer2013_things}/train',
    patch_size=6,
    # Places of eyes, nose and mouth in most faces, estimated: the faces are
    # centred, and their points are unknown.
    landmarks=[(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.36, 0.77), (0.64, 0.77)],
)
fer2013_paste_test = dict(
    fer2013_paste, occluders=f'{fer2013_things}/test', seed=0
)
# After enlarging, for comparisons with the true face.
fer2013_paste_large = dict(
    fer2013_paste, patch_size=8, keep_clean=True, seed=0
)
fer2013_paste_large_test = dict(
    fer2013_paste_large, occluders=f'{fer2013_things}/test'
)
fer2013_pack = dict(
    type='PackInputs',
    meta_keys=(
        'sample_idx',
        'img_path',
        'ori_shape',
        'img_shape',
        'occlusion_kind',
        'patch_coverage',
        'clean_img',
    ),
)

# Clean faces
fer2013_train = dict(
    data_root=f'{fer2013_root}/train',
    ann_file=None,
    class_map=dict(
        angry='Anger',
        disgust='Disgust',
        fear='Fear',
        happy='Happiness',
        neutral='Neutral',
        sad='Sadness',
        surprise='Surprise',
    ),
    pipeline=[fer2013_load, fer2013_flip, fer2013_enlarge, fer2013_pack],
)
fer2013_val = dict(
    fer2013_train,
    data_root=f'{fer2013_root}/validation',
    pipeline=[fer2013_load, fer2013_enlarge, fer2013_pack],
)
fer2013_test = dict(fer2013_val, data_root=f'{fer2013_root}/test')

# Occluded faces
fer2013_pasted_train = dict(
    fer2013_train,
    pipeline=[
        fer2013_load,
        fer2013_flip,
        dict(fer2013_paste, prob=0.5),
        fer2013_enlarge,
        fer2013_pack,
    ],
)
fer2013_pasted_val = dict(
    fer2013_val,
    pipeline=[
        fer2013_load,
        dict(fer2013_paste, seed=0),
        fer2013_enlarge,
        fer2013_pack,
    ],
)
fer2013_pasted_test = dict(
    fer2013_test,
    pipeline=[fer2013_load, fer2013_paste_test, fer2013_enlarge, fer2013_pack],
)

# The same in every epoch, for the cache of stage 4; half of them are clean.
fer2013_fixed = [
    fer2013_load,
    dict(fer2013_paste, prob=0.5, seed=0),
    fer2013_enlarge,
    fer2013_pack,
]
fer2013_fixed_train = dict(fer2013_train, pipeline=fer2013_fixed)
fer2013_fixed_val = dict(fer2013_val, pipeline=fer2013_fixed)

# With the true face
fer2013_compared_val = dict(
    fer2013_val,
    pipeline=[
        fer2013_load,
        fer2013_enlarge,
        fer2013_paste_large,
        fer2013_pack,
    ],
)
fer2013_compared_test = dict(
    fer2013_test,
    pipeline=[
        fer2013_load,
        fer2013_enlarge,
        fer2013_paste_large_test,
        fer2013_pack,
    ],
)

# Clean faces, of which a reconstructor does not see some patches
fer2013_holes_test = dict(
    fer2013_test,
    pipeline=[
        fer2013_load,
        fer2013_enlarge,
        dict(type='mmocc.DrawPatchMask', patch_size=8),
        fer2013_pack,
    ],
)

# Clean faces of training without mirroring, for a detector's statistics
fer2013_clean_train = dict(
    fer2013_train, pipeline=[fer2013_load, fer2013_enlarge, fer2013_pack]
)

# Clean faces that no detector has learnt from, for its radius
fer2013_held_out = dict(fer2013_val, type='mmocc.FaceFolder')
