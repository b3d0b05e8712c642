"""A baseline for parts of your own: the mean of the normal images."""

_base_ = [
    '../_base_/models/pca_image.py',
    '../_base_/datasets/parts_folder.py',
    '../_base_/look_once.py',
]

model = dict(components=0)
