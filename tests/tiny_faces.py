"""Small copies of the layouts of public sets of faces."""

import numpy as np
from PIL import Image


def write_picture(path, size=(8, 8)):
    """Write a small picture; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = 'PNG' if path.suffix.lower() == '.png' else 'JPEG'
    Image.fromarray(np.zeros((*size[::-1], 3), np.uint8)).save(path, kind)


def touch_pictures(paths):
    """Write many empty files: what readers list, but never open."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def samples(dataset):
    """Return what a data set knows of each sample."""
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def labels(dataset):
    """Return the labels by the stem of the picture's name."""
    return {
        s['img_path'].rsplit('/', 1)[1].split('.')[0]: s['gt_label']
        for s in samples(dataset)
    }
