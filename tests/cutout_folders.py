"""Kinds of cut-outs as the tests of pasting write them."""

import numpy as np
from PIL import Image

POINTS = dict(
    a=(0, 4), b=(20, 0), c=(40, 4), d=(2, 20), e=(20, 30), f=(38, 20)
)


def save_cutout(path, size=(30, 40), colour=(200, 30, 10), margin=0):
    """Write a full rectangle (h, w) of RGB, with a transparent margin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[0] + 2 * margin, size[1] + 2 * margin, 4), 'uint8')
    inner = slice(margin, margin + size[0]), slice(margin, margin + size[1])
    pixels[inner] = (*colour, 255)
    Image.fromarray(pixels).save(path)


def write_anchors(path, names, points=POINTS):
    """Write the anchors of face masks, the same for all names."""
    lines = []
    for name in names:
        lines.append(f'[{name}]\ntemplate: {name}.png')
        lines += [f'mask_{k}: {x}, {y}' for k, (x, y) in points.items()]
    path.write_text('\n'.join(lines) + '\n[empty]\n')


def write_kinds(root):
    """Write two kinds: ``cup``, and ``mask`` with three views."""
    save_cutout(root / 'cup/0.png')
    for name in ('cloth', 'cloth_left', 'cloth_right'):
        save_cutout(root / f'mask/{name}.png', colour=(20, 40, 220))
    write_anchors(
        root / 'mask/masks.cfg', ('cloth', 'cloth_left', 'cloth_right')
    )
    return root
