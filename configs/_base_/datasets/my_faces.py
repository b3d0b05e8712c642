r"""A folder of faces of your own: a folder for each class, or a CSV table.

``mmocc train ofer --data FOLDER`` sets the names below. A fifth of the files
are for validation and test: always the same ones, by their names. If several
photos show one person, name the person in ``my_subjects``, such as
``r'(.+)_\d+'`` for ada_1.jpg and ada_2.jpg: nobody is then in both parts.
"""

# ------------------------------------------------ things you will change
my_data_root = 'data/my_faces'
my_classes = (
    'Surprise',
    'Fear',
    'Disgust',
    'Happiness',
    'Sadness',
    'Anger',
    'Neutral',
)
my_number = len(my_classes)
my_table = None  # a CSV file in my_data_root: path, expression
my_subjects = r'(.+)'

# ------------------------------------------------- things you may change
my_side = 128
my_load = dict(type='LoadImageFromFile')
my_resize = dict(type='Resize', scale=(my_side, my_side), interpolation='area')
my_flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
my_paste = dict(
    type='mmocc.PasteOcclusion',
    occluders='builtin:train',
    patch_size=my_side // 8,
    # places of eyes, nose and mouth in an aligned face
    landmarks=[
        (0.32, 0.4),
        (0.68, 0.4),
        (0.5, 0.59),
        (0.36, 0.76),
        (0.64, 0.76),
    ],
)
my_pack = dict(
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
my_test_pipeline = [my_load, my_resize, my_pack]
my_train_pipeline = [
    my_load,
    my_resize,
    my_flip,
    dict(my_paste, prob=0.5),
    my_pack,
]
my_occluded_pipeline = [
    my_load,
    my_resize,
    dict(my_paste, occluders='builtin:test', seed=0),
    my_pack,
]

my_faces = dict(
    type='mmocc.FaceFolder',
    data_root=my_data_root,
    ann_file=my_table,
    classes=my_classes,
    subject_pattern=my_subjects,
)
my_loader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
train_dataloader = dict(
    my_loader,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(my_faces, subjects=(0.2, 1.0), pipeline=my_train_pipeline),
)
val_dataloader = dict(
    my_loader,
    dataset=dict(my_faces, subjects=(0.0, 0.2), pipeline=my_test_pipeline),
)
test_dataloader = val_dataloader
data_preprocessor = dict(
    num_classes=my_number,
    mean=[127.0, 127.0, 127.0],
    std=[128.0, 128.0, 128.0],
    to_rgb=True,
)
