"""A baseline for parts as in MVTec AD: PatchCore on EfficientNet-Lite0."""

_base_ = [
    '../_base_/models/lite0_patches.py',
    '../_base_/datasets/parts_mvtec.py',
    '../_base_/look_once.py',
]

model = dict(type='mmocc.PatchCore')
