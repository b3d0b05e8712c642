"""Small copies of the layouts of public sets of faces."""

import numpy as np
from PIL import Image

from mmocc.utils.expressions import KDEF_CODES


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


def write_rafdb(root):
    """Write seven pictures of each split, one of each expression."""
    lines = []
    for i in range(14):
        name = f'{("train", "test")[i // 7]}_{i:04d}'
        lines.append(f'{name}.jpg {i % 7 + 1}')
        write_picture(root / f'Image/aligned/{name}_aligned.jpg', (100, 100))
    (root / 'EmoLabel').mkdir()
    path = root / 'EmoLabel/list_patition_label.txt'
    path.write_text('\n'.join(lines))


def write_kdef(root):
    """Write a subject of each split, frontal, all expressions."""
    for subject in ('F01', 'M20'):
        for code in KDEF_CODES:
            name = f'A{subject}{code}S.JPG'
            write_picture(root / f'A{subject}' / name, (56, 76))
