"""Configs of faces: each reads a small copy of its set, batch by batch."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from tiny_faces import samples, write_kdef, write_picture, write_rafdb

from mmocc.synthetic.cartoon_faces import FaceSettings, write_faces
from mmocc.utils.expressions import EXPRESSIONS

pytest.importorskip(
    'mmpretrain', reason='the data sets of faces need mmpretrain'
)
CONFIGS = ROOT / 'configs/_base_/datasets'
SIZES = dict(
    cartoon_faces=64,
    rafdb=224,
    affectnet=224,
    kdef=224,
    fer2013_faces=64,
    muxspace_faces=64,
)
TRIAL = Path(os.environ.get('MMOCC_TRIAL_DATA', ROOT.parent / 'shared/data'))


def write_cartoon_faces(root):
    write_faces(root, FaceSettings(train=7, val=7, test=7, occluders=0))


def write_affectnet(root):
    for split in ('train', 'val'):
        folder = root / f'{split}_set'
        (folder / 'annotations').mkdir(parents=True)
        for i in range(8):
            write_picture(folder / f'images/{i}.jpg', (224, 224))
            label = np.array(str(i))
            np.save(folder / f'annotations/{i}_exp.npy', label)


def write_fer2013_faces(root):
    words = ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise']
    for split in ('train', 'validation', 'test'):
        for word in words:
            write_picture(root / split / word / 'a.jpg', (48, 48))


def write_muxspace_faces(root):
    lines = ['emotion,path']
    words = [name.lower() for name in EXPRESSIONS] + ['contempt']
    for i in range(80):
        path = f'images/Some_{chr(97 + i // 2)}_{i:04d}.jpg'
        lines.append(f'{words[i % 8]},{path}')
        write_picture(root / path, (90, 90))
    (root / 'labels.csv').write_text('\n'.join(lines))


WRITERS = dict(
    cartoon_faces=write_cartoon_faces,
    rafdb=write_rafdb,
    affectnet=write_affectnet,
    kdef=write_kdef,
    fer2013_faces=write_fer2013_faces,
    muxspace_faces=write_muxspace_faces,
)


def build(name, root, part):
    """Build the data set of a config, with its files somewhere else."""
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    dataset = cfg[f'{part}_dataloader'].dataset
    dataset.data_root = dataset.data_root.replace(cfg.data_root, str(root))
    return cfg, DATASETS.build(dataset)


@pytest.mark.parametrize('name', SIZES)
def test_a_config_reads_its_layout(name, tmp_path):
    WRITERS[name](tmp_path)
    side = SIZES[name]
    for part in ('train', 'val', 'test'):
        cfg, dataset = build(name, tmp_path, part)
        assert dataset.metainfo['classes'] == EXPRESSIONS
        assert cfg.data_preprocessor.num_classes == len(EXPRESSIONS)
        found = {s['gt_label'] for s in samples(dataset)}
        assert found <= set(range(7))
        assert len(found) == 7 or name == 'muxspace_faces'
        for i in range(min(len(dataset), 7)):
            packed = dataset[i]
            assert packed['inputs'].shape == (3, side, side)
            assert packed['inputs'].dtype == torch.uint8


@pytest.mark.parametrize(
    ('name', 'folder', 'counts'),
    [
        ('fer2013_faces', 'fer2013_balanced', (2100, 350, 350)),
        ('muxspace_faces', 'muxspace_expressions', (583, 62, 96)),
    ],
)
def test_a_config_reads_real_faces(name, folder, counts):
    root = TRIAL / folder
    if not root.is_dir():
        pytest.skip(f'no trial data: {root} does not exist')
    people = []
    for part, count in zip(('train', 'val', 'test'), counts, strict=True):
        _, dataset = build(name, root, part)
        assert len(dataset) == count
        assert dataset[0]['inputs'].float().std() > 10
        people.append({s.get('subject') for s in samples(dataset)})
    if name == 'muxspace_faces':
        assert len(set.union(*people)) == sum(map(len, people))
