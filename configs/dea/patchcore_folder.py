"""A baseline for parts of your own: PatchCore on EfficientNet-Lite0."""

_base_ = [
    '../_base_/models/lite0_patches.py',
    '../_base_/datasets/parts_folder.py',
    '../_base_/look_once.py',
]

model = dict(type='mmocc.PatchCore')
