"""A baseline for parts in MVTec AD's layout: PCA of 64-pixel images."""

_base_ = [
    '../_base_/datasets/parts_mvtec.py',
    '../_base_/look_once.py',
]

model = dict(
    type='mmocc.PCAImage',
    components=16,
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
    ),
)
