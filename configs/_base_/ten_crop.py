"""Test by ten crops of 224 pixels out of 256: ``tools/test.py --tta``.

As ``mergeTenCrop.m`` of metalbubble/CAM: four corners, the centre, and their
mirror images, of the image squeezed to a square.
"""

tta_model = dict(type='mmocc.TenCropTTA')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(256, 256)),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='mmocc.FixedCrop', crop_size=224, position=position)
                for position in (
                    'top_left',
                    'top_right',
                    'bottom_left',
                    'bottom_right',
                    'center',
                )
            ],
            [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [
                dict(
                    type='PackInputs',
                    meta_keys=(
                        'sample_idx',
                        'img_path',
                        'ori_shape',
                        'img_shape',
                        'full_shape',
                        'crop_box',
                        'flip',
                    ),
                )
            ],
        ],
    ),
]
