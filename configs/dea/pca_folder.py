"""A baseline for parts of your own: PCA of 64-pixel images."""

_base_ = [
    '../_base_/models/pca_image.py',
    '../_base_/datasets/parts_folder.py',
    '../_base_/look_once.py',
]
