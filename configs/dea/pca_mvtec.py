"""A baseline for parts in MVTec AD's layout: PCA of 64-pixel images."""

_base_ = [
    '../_base_/models/pca_image.py',
    '../_base_/datasets/parts_mvtec.py',
    '../_base_/look_once.py',
]
