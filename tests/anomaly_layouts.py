"""Small sets in the published layouts of anomaly detection data."""

import csv
import json

import numpy as np
from PIL import Image

from mmocc.synthetic.ornaments import OrnamentSettings

PAGES = OrnamentSettings(
    page=160,
    classes=5,
    outside_classes=3,
    train=4,
    val=4,
    test=3,
    objects=5.0,
    glyph_size=(28, 48),
    fonts=('DejaVuSerif.ttf',),
)
SIZE = (48, 64)  # (h, w)
# Two things on a plain ground, and where one of them is defective.
THINGS = np.array([[4, 6, 24, 30], [36, 12, 58, 40]])
DEFECT = (40, 20, 50, 30)  # on the second
VISA_KINDS = {'normal': 'Normal', 'anomaly': 'Anomaly'}


def draw(boxes, values=200, ground=20, size=SIZE):
    """Return a grey picture with boxes in it."""
    picture = np.full(size, ground, np.uint8)
    values = np.broadcast_to(values, len(boxes))
    for (x1, y1, x2, y2), value in zip(boxes, values, strict=True):
        picture[y1:y2, x1:x2] = value
    return picture


def save(path, picture):
    """Write a picture, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def write_mvtec(root, categories=('bottle', 'cable')):
    """Write two good training images, a good and two bad test images each."""
    for category in categories:
        folder = root / category
        for split, number in (('train', 2), ('test', 1)):
            for i in range(number):
                save(folder / split / f'good/{i:03d}.png', draw(THINGS))
        for kind, box in (('cut', DEFECT), ('hole', (8, 10, 12, 14))):
            image = draw([*THINGS, box], [200, 200, 90])
            save(folder / 'test' / kind / '000.png', image)
            mask = draw([box], 255, 0)
            save(folder / 'ground_truth' / kind / '000_mask.png', mask)


def write_visa(root, categories=('candle', 'capsules')):
    """Write VisA's layout: masks of labels, and the list of splits."""
    rows = []
    for category in categories:
        for number in range(3):
            name = f'{category}/Data/Images/Normal/{number:04d}.JPG'
            save(root / name, draw(THINGS))
            split = 'test' if number == 2 else 'train'
            rows.append([category, split, 'normal', name, ''])
        name = f'{category}/Data/Images/Anomaly/000.JPG'
        mask = f'{category}/Data/Masks/Anomaly/000.png'
        save(root / name, draw([*THINGS, DEFECT], [200, 200, 90]))
        save(root / mask, draw([DEFECT], 3, 0))
        rows.append([category, 'test', 'anomaly', name, mask])
    path = root / 'split_csv' / '1cls.csv'
    path.parent.mkdir(parents=True)
    with path.open('w', newline='') as file:
        header = ['object', 'split', 'label', 'image', 'mask']
        csv.writer(file).writerows([header, *rows])
    return path


def write_tiles(root):
    """Write four good tiles, and four of two kinds of defects each."""
    for kind, box in (('Free', None), ('Crack', DEFECT), ('Fray', THINGS[0])):
        for number in range(4):
            folder = root / f'MT_{kind}' / 'Imgs'
            boxes = [] if box is None else [box]
            save(folder / f'{number}.jpg', draw(boxes, 90, 160))
            mask = draw(boxes, 255, 0)
            mask[0, 0] = 3  # the real masks are soft
            save(folder / f'{number}.png', mask)


def write_detections(path, names):
    """Write a json of boxes by image: things, and one that is not sure."""
    rows = [[*box, 0.9] for box in THINGS.tolist()] + [[0, 0, 9, 9, 0.1]]
    path.write_text(json.dumps(dict.fromkeys(names, rows)))
    return path
