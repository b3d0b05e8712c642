"""Which changes make an answer stale, and which do not."""

import copy
import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch.utils.data import ConcatDataset, Subset

from mmocc.occlusion import OccluderBank
from mmocc.report import fingerprint as fp
from mmocc.utils.from_config import build_dataset

ANNOTATIONS = 'the annotations'
IMAGES = 'the test images'


def parts(cfg, checkpoint='https://weights.example/a.pth'):
    data = fp.data_parts(cfg, build_dataset(cfg))
    return fp.model_parts(cfg, checkpoint) | data


@pytest.fixture
def cfg(tiny_config):
    """Return a config whose test set has an annotation file."""
    root = tiny_config.parent / 'images'
    names = ['dark/0.png', 'dark/1.png', 'light/0.png', 'light/1.png']
    lines = [f'{name} {index // 2}' for index, name in enumerate(names)]
    (root / 'test.txt').write_text('\n'.join(lines), encoding='utf-8')
    cfg = Config.fromfile(tiny_config)
    cfg.test_dataloader.dataset.update(
        ann_file='test.txt', metainfo=dict(classes=['dark', 'light'])
    )
    cfg.data_preprocessor = cfg.model.pop('data_preprocessor')
    return cfg


def root_of(cfg):
    return cfg.test_dataloader.dataset.data_root


def mean(cfg):
    cfg.data_preprocessor.mean[0] += 1


def head(cfg):
    cfg.model.head.topk = 2


def scope(cfg):
    cfg.default_scope = 'mmengine'


def pipeline(cfg):
    resize = dict(type='Resize', scale=(16, 16))
    cfg.test_dataloader.dataset.pipeline.insert(1, resize)


def classes(cfg):
    cfg.test_dataloader.dataset.metainfo.classes = ['light', 'dark']


def label(cfg):
    edit(cfg, lambda lines: ['dark/0.png 1', *lines[1:]])


def order(cfg):
    edit(cfg, lambda lines: lines[::-1])


def edit(cfg, change):
    path = Path(root_of(cfg), 'test.txt')
    lines = path.read_text(encoding='utf-8').splitlines()
    path.write_text('\n'.join(change(lines)), encoding='utf-8')


def image(cfg):
    Image.new('RGB', (9, 9)).save(f'{root_of(cfg)}/dark/0.png')


def time(cfg):
    os.utime(f'{root_of(cfg)}/dark/0.png', ns=(1, 1))


CHANGES = [
    (mean, {'the model'}),
    (head, {'the model'}),
    (scope, {'the model'}),
    (pipeline, {'the test dataloader'}),
    (classes, {'the class list', 'the test dataloader'}),
    (label, {ANNOTATIONS}),
    (order, {ANNOTATIONS, IMAGES}),
    (image, {IMAGES}),
    (time, {IMAGES}),
]


@pytest.mark.parametrize(
    ('change', 'names'),
    CHANGES,
    ids=[change.__name__ for change, _ in CHANGES],
)
def test_what_decides_an_answer_makes_it_stale(cfg, change, names):
    before = parts(cfg)
    built = build_dataset(cfg)
    change(cfg)
    if change is scope:  # in which no test set could be built
        now = fp.model_parts(cfg, 'https://weights.example/a.pth')
        now |= fp.data_parts(cfg, built)
    else:
        now = parts(cfg)
    assert {name for name in now if now[name] != before[name]} == names
    assert all(name in fp.changed(before, now) for name in names)


def test_what_does_not_decide_is_not_looked_at(cfg, tmp_path):
    before = parts(cfg)
    loader = cfg.test_dataloader
    loader.update(batch_size=7, num_workers=3, persistent_workers=True)
    loader.update(pin_memory=True, prefetch_factor=2)
    cfg.work_dir = 'elsewhere'
    cfg.model = Config(dict(reversed(cfg.model.items())))
    moved = tmp_path / 'moved' / 'set'
    shutil.copytree(root_of(cfg), moved)  # with the times of change
    loader.dataset.data_root = str(moved)
    assert parts(cfg) == before
    assert fp.changed(before, parts(cfg)) == ''


def test_the_place_of_a_preprocessor_does_not_matter(cfg):
    before = parts(cfg)
    cfg.model.data_preprocessor = cfg.pop('data_preprocessor')
    assert parts(cfg) == before


def test_a_checkpoint_counts_by_its_content(cfg, tmp_path):
    first, second = tmp_path / 'a.pth', tmp_path / 'b.pth'
    first.write_bytes(b'weights')
    second.write_bytes(b'weights')
    before = fp.model_parts(cfg, str(first))
    assert fp.model_parts(cfg, str(second)) == before
    second.write_bytes(b'other weights')
    now = fp.model_parts(cfg, str(second))
    assert fp.changed(before, now) == 'the checkpoint has changed'


def test_own_modules_count_by_their_content(cfg, tmp_path, monkeypatch):
    path = tmp_path / 'own_model.py'
    path.write_text('A = 1', encoding='utf-8')
    module = SimpleNamespace(__file__=str(path))
    monkeypatch.setitem(sys.modules, 'own_model', module)
    cfg.custom_imports = dict(imports=['own_model'])
    before = fp.model_parts(cfg, 'x')
    assert fp.model_parts(cfg, 'x') == before
    path.write_text('A = 22', encoding='utf-8')
    now = fp.model_parts(cfg, 'x')
    assert fp.changed(before, now) == 'the model has changed'


def bank(folders, kinds, size=16):
    return OccluderBank(kinds, **folders, texture_size=size)


def test_a_bank_counts_by_its_content_and_for_its_kind(
    occluder_folders, tmp_path
):
    folders = {
        name: shutil.copytree(folder, tmp_path / name)
        for name, folder in occluder_folders.items()
    }
    cells = ['L0', 'L1 white', 'L1 noise', 'L2 texture', 'L2 object']
    kinds = ['white', 'noise', 'texture', 'object']

    def stale(before, **settings):
        settings.setdefault('bank', bank(folders, kinds))
        now = {cell: fp.occlusion_parts(cell, **settings) for cell in cells}
        if before is None:
            return now
        return {
            cell: fp.changed(before[cell], now[cell])
            for cell in cells
            if before[cell] != now[cell]
        }

    before = stale(None)
    assert before['L0'] == {}
    assert stale(before) == {}
    assert stale(before, bank=bank(folders, kinds[:-1])) == {
        'L2 object': 'the object bank has changed'
    }
    assert list(stale(before, seed=1)) == cells[1:]
    assert list(stale(before, region='box')) == cells[1:]
    assert stale(before, bank=bank(folders, kinds, 20)) == {
        'L2 texture': 'the texture bank has changed'
    }
    Image.new('RGB', (50, 40)).save(folders['texture_bank'] / '0.png')
    assert list(stale(before)) == ['L2 texture']
    Image.new('RGBA', (50, 40), (9, 9, 9, 255)).save(
        folders['object_bank'] / '0.png'
    )
    assert list(stale(before)) == ['L2 texture', 'L2 object']


def test_a_bank_that_is_drawn_counts(cfg):
    first, again = (
        OccluderBank(['texture'], 'builtin:test', texture_size=8)
        for _ in range(2)
    )
    other = OccluderBank(['texture'], 'builtin:train', texture_size=8)
    cell = 'L2 texture'
    before = fp.occlusion_parts(cell, bank=first)
    assert fp.occlusion_parts(cell, bank=again) == before
    now = fp.occlusion_parts(cell, bank=other)
    assert fp.changed(before, now) == 'the texture bank has changed'
    dataset = build_dataset(cfg)
    names = []
    for bank in ('builtin:test', 'builtin:test', ['builtin:train']):
        step = dict(type='mmocc.Occlude', texture_bank=bank)
        cfg.test_dataloader.dataset.pipeline = [step]
        names.append(fp.data_parts(cfg, dataset))
    assert names[0] == names[1] != names[2]


def test_a_new_version_of_the_occlusion_makes_stale(monkeypatch):
    before = fp.occlusion_parts('L1 white')
    monkeypatch.setattr('mmocc.occlusion.OCCLUSION_VERSION', -1)
    now = fp.occlusion_parts('L1 white')
    assert fp.changed(before, now) == (
        'the version of the occlusion has changed'
    )


class InMemory:
    """A test set that holds its images, as CIFAR does."""

    metainfo = dict(classes=('a', 'b'))

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return dict(img=self.images[index], gt_label=self.labels[index])


class Plain:
    """A data set that tells nothing, as torchvision's."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)


def data(dataset):
    cfg = Config(dict(test_dataloader=dict(dataset=dict(type='Any'))))
    return fp.data_parts(cfg, dataset)


def test_images_in_memory_count_by_their_values():
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    before = data(InMemory(images, [0, 1]))
    assert data(InMemory(images.copy(), [0, 1])) == before
    other = images.copy()
    other[1, 0, 0, 0] += 1
    for dataset in (InMemory(other, [0, 1]), InMemory(images, [1, 1])):
        now = data(dataset)
        assert fp.changed(before, now) == 'the annotations have changed'
    tensors = torch.from_numpy(images)
    assert data(InMemory(tensors, [0, 1])) == before


def test_wrappers_are_followed():
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    first, second = InMemory(images, [0, 1]), InMemory(images, [1, 1])
    both = data(ConcatDataset([first, second]))
    assert data(ConcatDataset([first, second])) == both
    assert data(ConcatDataset([second, first])) != both
    assert data(ConcatDataset([first, first])) != both
    part = data(Subset(first, [1]))
    assert data(Subset(first, [0])) != part
    assert data(Subset(second, [1])) == part  # the image outside differs
    second.metainfo = dict(classes=('b', 'a'))
    assert data(Subset(second, [1])) != part


def test_a_set_that_tells_nothing_counts_by_what_it_holds(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('RGB', (4, 4)).save(path)
    before = data(Plain([(str(path), 0)]))
    assert data(Plain([(str(path), 0)])) == before
    assert data(Plain([(str(path), 1)])) != before
    os.utime(path, ns=(5, 5))
    now = data(Plain([(str(path), 0)]))
    assert fp.changed(before, now) == 'the test images have changed'


def test_masks_of_a_sample_count(tmp_path):
    path = tmp_path / 'mask.png'
    Image.new('L', (4, 4)).save(path)

    class Masked(InMemory):
        def get_data_info(self, index):
            return dict(
                img_path='none.png',
                instances=[dict(mask=[[0.5, 1.5]]), dict(mask=str(path))],
            )

    before = data(Masked([], [0]))
    os.utime(path, ns=(7, 7))
    now = data(Masked([], [0]))
    assert fp.changed(before, now) == 'the test images have changed'


def test_the_digest_does_not_depend_on_order_or_addresses():
    assert fp.digest(dict(a=1, b={2: 'x', 'y': 3})) == fp.digest(
        dict(b={'y': 3, 2: 'x'}, a=1)
    )
    assert fp.digest([Plain([]), {3, 1, 2}]) == fp.digest(
        [Plain([1]), {2, 3, 1}]
    )
    assert fp.digest([1, 2]) != fp.digest([2, 1])
    assert fp.digest(np.zeros(2)) != fp.digest(np.zeros(2, np.float32))
    assert fp.digest(b'a') != fp.digest(b'b')
    assert fp.digest(InMemory) != fp.digest(Plain)


def test_an_old_file_without_parts_is_said_to_be_other():
    assert fp.changed({}, {'the seed': 'a'}) == 'the seed has changed'
    assert fp.changed({'the seed': 'a'}, {}) == 'the seed has changed'
    assert fp.changed({'the seed': 'a', 'the model': ''}, {}) == (
        'the seed, the model have changed'
    )


def test_detectors_count_annotations_and_evaluators(tmp_path):
    pytest.importorskip('mmdet', reason='detection needs mmdet')
    from toy_detector import coco_config, make_objects, write_coco

    from mmocc.report.detectors import build_det_dataset

    path = write_coco(tmp_path, make_objects(3))
    cfg = coco_config(tmp_path)

    def now():
        return fp.data_parts(cfg, build_det_dataset(cfg)) | fp.evaluator_parts(
            cfg
        )

    before = now()
    assert now() == before
    other = copy.deepcopy(cfg)
    other.test_dataloader.update(batch_size=1, num_workers=2)
    assert (
        fp.data_parts(other, build_det_dataset(other))
        | (fp.evaluator_parts(other))
        == before
    )
    content = json.loads(path.read_text(encoding='utf-8'))
    content['annotations'][0]['bbox'][0] += 1
    path.write_text(json.dumps(content), encoding='utf-8')
    assert fp.changed(before, now()) == (
        'the annotations, the evaluator have changed'
    )
    before = now()
    cfg.test_evaluator.metric = 'proposal'
    assert fp.changed(before, now()) == 'the evaluator has changed'
    before = now()
    Image.new('RGB', (128, 96)).save(tmp_path / 'images/000.jpg')
    assert fp.changed(before, now()) == 'the test images have changed'
    hard = tmp_path / 'hard.json'
    hard.write_text('[]', encoding='utf-8')
    real = fp.evaluator_parts(cfg, str(hard), None)
    hard.write_text('[ ]', encoding='utf-8')
    assert fp.evaluator_parts(cfg, str(hard), None) != real
