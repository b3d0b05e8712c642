"""The page on own data: its configs train and test on a tiny folder each."""

import json
import re

import cv2
import numpy as np
import pytest
from conftest import ROOT

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmengine.config import Config
from run_config import LOADERS, train

PAGE = ROOT / 'docs/my_data.md'
BOXES = {  # class, xyxy
    'a': [('bolt', (10, 10, 60, 50))],
    'b': [('nut', (30, 20, 80, 70)), ('bolt', (5, 5, 25, 30))],
    'c': [('nut', (0, 0, 40, 40)), ('washer', (50, 50, 90, 75))],
    'd': [],
}
ANNOTATION = """\
<annotation><size><width>100</width><height>80</height><depth>3</depth></size>
{}</annotation>
"""
OBJECT = """\
<object><name>{}</name><difficult>0</difficult><bndbox><xmin>{}</xmin>
<ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>
"""


def pages_configs():
    """Return the configs that the page shows, by the type of their data."""
    if not PAGE.is_file():
        pytest.skip('the page is not there')
    blocks = re.findall(r'```python\n(.+?)```', PAGE.read_text('utf-8'), re.S)
    configs = [block for block in blocks if '_base_' in block]
    return {re.search(r"type='(\w+)'", text)[1]: text for text in configs}


def write_photos(folder):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in BOXES:
        photo = rng.integers(0, 255, (80, 100, 3), np.uint8)
        cv2.imwrite(str(folder / f'{name}.jpg'), photo)


def write_voc(root):
    """Write a folder as the page draws it."""
    write_photos(root / 'JPEGImages')
    (root / 'Annotations').mkdir()
    for name, objects in BOXES.items():
        text = ''.join(OBJECT.format(kind, *box) for kind, box in objects)
        path = root / f'Annotations/{name}.xml'
        path.write_text(ANNOTATION.format(text))
    for split in ('train', 'test'):
        (root / f'{split}.txt').write_text('\n'.join(BOXES))


def write_coco(root):
    """Write the same photos with lists as in COCO."""
    write_photos(root / 'images')
    names = ['bolt', 'nut', 'washer']
    notes = []
    for image, objects in enumerate(BOXES.values()):
        for kind, (x1, y1, x2, y2) in objects:
            note = dict(
                id=len(notes) + 1,
                image_id=image,
                category_id=names.index(kind) + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=0,
            )
            notes.append(note)
    content = dict(
        images=[
            dict(id=i, file_name=f'{name}.jpg', width=100, height=80)
            for i, name in enumerate(BOXES)
        ],
        categories=[dict(id=i + 1, name=n) for i, n in enumerate(names)],
        annotations=notes,
    )
    for split in ('train', 'test'):
        (root / f'{split}.json').write_text(json.dumps(content))


@pytest.mark.parametrize(
    'kind, write', [('VOCDataset', write_voc), ('CocoDataset', write_coco)]
)
def test_the_pages_config_trains_and_tests(kind, write, tmp_path):
    root, path = tmp_path / 'my_set', tmp_path / 'my_set.py'
    write(root)
    text = pages_configs()[kind]
    assert len(text.strip().splitlines()) <= 17
    assert text.count("'data/my_set'") == text.count("'bolt', 'nut'") == 1
    text = text.replace("'data/my_set'", repr(str(root)))
    path.write_text(text.replace('../_base_', str(ROOT / 'configs/_base_')))
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    for step in (s for n in LOADERS for s in cfg[n].dataset.pipeline):
        if step.type == 'Resize':
            step.scale = (160, 160)
    for name in LOADERS:
        cfg[name].update(num_workers=0)
    with pytest.raises(ValueError, match='4 images are fewer than a batch'):
        train(cfg, tmp_path / 'few', epochs=1)
    cfg.train_dataloader.batch_size = 2
    runner = train(cfg, tmp_path / 'work', epochs=1)
    assert runner.iter == 2
    assert runner.train_dataloader.dataset.metainfo['classes'] == (
        'bolt', 'nut'
    )  # fmt: skip
    metrics = runner.test()
    assert 0 <= metrics['coco/bbox_mAP'] <= 1
    assert 0 <= metrics['pascal_voc/mAP'] <= 1
