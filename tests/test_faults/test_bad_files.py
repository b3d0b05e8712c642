"""Damaged, empty and monstrous files: refused by name, or read in bounds."""

import json
import re
import time
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
import wsol_layouts as layouts
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, Registry, init_default_scope
from PIL import Image

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

import fault_runs
from fault_runs import train
from mmdet.utils import register_all_modules

from mmocc.registry import DATASETS
from mmocc.utils import strict_images
from mmocc.utils.strict_images import (
    StrictLoadImageFromFile,
    use_strict_images,
)

MANY = 100_000
ENTITIES = ''.join(
    f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10)
)
BOMB = (
    f'<!DOCTYPE a [<!ENTITY l0 "ha">{ENTITIES}]><annotation><object>'
    '<name>&l9;</name></object></annotation>'
)


def voc(root):
    layouts.write_image(root / 'JPEGImages/a.png')
    layouts.write_xml(root / 'Annotations/a.xml', [('dog', 2, 2, 20, 20)])
    layouts.write_lines(root / 'ImageSets/Main/train.txt', 'a')
    args = dict(type='mmocc.VOCObjects', data_root=str(root), split='train')
    return args, root / 'JPEGImages/a.png'


def wsol(root):
    args = layouts.write_cub(root)
    return dict(type='mmocc.WSOLDataset', **args), next(root.rglob('A_1.jpg'))


def faces(root):
    layouts.write_image(root / 'happiness/a.png')
    layouts.write_image(root / 'anger/b.png')
    path = root / 'anger/b.png'
    args = dict(type='mmocc.FaceFolder', data_root=str(root))
    names = dict.fromkeys(('happiness', 'anger'))
    args['class_map'] = {name: name.capitalize() for name in names}
    return args, path


def pages(root):
    fault_runs.write_pages(root)
    args = dict(
        type='mmocc.OrnamentPages',
        data_root=str(root),
        ann_file='pages.json',
        data_prefix=dict(img=''),
    )
    return args, root / '0.png'


READERS = dict(voc=voc, wsol=wsol, faces=faces, pages=pages)


@pytest.fixture(scope='module')
def huge(tmp_path_factory):
    """Write 20,000 x 20,000 pixels into a small file."""
    path = tmp_path_factory.mktemp('huge') / 'huge.png'
    Image.new('1', (20_000, 20_000)).save(path)
    return path.read_bytes()


def spoil(path, fault, huge):
    """Damage an image."""
    whole = path.read_bytes()
    path.write_bytes(
        dict(
            empty=b'',
            truncated=whole[: len(whole) // 2],
            text=b'404 Not Found' * 9,
            corrupt=whole[:8] + bytes(len(whole) - 8),
            huge=huge,
        )[fault]
    )


def build(args):
    """Build a data set that loads images as our tools do."""
    detection = args['type'] == 'mmocc.OrnamentPages'
    if detection:
        register_all_modules(init_default_scope=False)
    init_default_scope('mmdet' if detection else 'mmpretrain')
    dataset = DATASETS.build(
        dict(args, pipeline=[dict(type=StrictLoadImageFromFile)])
    )
    dataset.full_init()
    return dataset


@pytest.mark.parametrize(
    'fault', ['empty', 'truncated', 'text', 'corrupt', 'huge']
)
@pytest.mark.parametrize('reader', READERS)
def test_a_bad_image_is_refused_by_name(tmp_path, huge, reader, fault):
    args, path = READERS[reader](tmp_path / 'data')
    dataset = build(args)
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    index = paths.index(str(path))
    assert dataset[index]['img'].dtype == np.uint8
    spoil(path, fault, huge)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf'^{path}: ') as caught:
            dataset[index]
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    words = '400000000 pixels' if fault == 'huge' else 'fetch it again'
    assert words in str(caught.value)


def test_missing_files_and_empty_results_are_mmcvs(tmp_path):
    path = str(tmp_path / 'gone.png')
    with pytest.raises(FileNotFoundError, match='gone'):
        StrictLoadImageFromFile().transform(dict(img_path=path))
    lenient = StrictLoadImageFromFile(ignore_empty=True)
    assert lenient.transform(dict(img_path=path)) is None


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet'])
def test_configs_get_the_strict_loader(monkeypatch, scope):
    for registry in (
        TRANSFORMS,
        import_module(f'{scope}.registry').TRANSFORMS,
    ):
        registry.import_from_location()
        known = dict(registry.module_dict)
        monkeypatch.setattr(registry, '_module_dict', known)
    use_strict_images(Config(dict(default_scope=scope)))
    init_default_scope(scope)
    built = TRANSFORMS.build(dict(type='LoadImageFromFile', to_float32=True))
    assert type(built) is StrictLoadImageFromFile
    assert built.to_float32


@pytest.mark.parametrize(
    'kind',
    [
        LoadImageFromFile,
        'mmcv.transforms.LoadImageFromFile',
        'mmpretrain.datasets.LoadImageFromFile',
    ],
)
def test_classes_and_paths_get_the_strict_loader_too(monkeypatch, kind):
    monkeypatch.setattr(strict_images, 'TRANSFORMS', Registry('none'))
    cfg = Config(dict(a=[dict(type=kind), dict(type='mmdet.Resize')]))
    use_strict_images(cfg)
    assert type(TRANSFORMS.build(cfg.a[0])) is StrictLoadImageFromFile
    assert Config.fromstring(cfg.pretty_text, '.py').a == cfg.a


@pytest.mark.parametrize(
    ('method', 'name', 'workers'),
    [('hide_and_seek', 'images/2/1.png', 2), ('dea', 'pages/5.png', 0)],
)
def test_a_run_ends_and_names_the_image(tmp_path, method, name, workers):
    fault_runs.write(
        tmp_path, method, **{'train_dataloader.num_workers': workers}
    )
    (tmp_path / name).write_bytes(b'')
    log = train(tmp_path, code=1)
    assert f'{name}: not a readable image' in log
    assert f'{name}: not' in log.splitlines()[-1] or workers


def test_a_worker_that_dies_ends_the_run(tmp_path):
    path = fault_runs.write(tmp_path, 'hide_and_seek')
    cfg = Config.fromfile(path)
    cfg.train_dataloader.num_workers = 2
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.insert(1, dict(type='KillWorker', name='images/2/1.png'))
    cfg.dump(path)
    begin = time.monotonic()
    log = train(tmp_path, code=1)
    assert time.monotonic() - begin < 60
    words = 'is killed by signal: Killed|exited unexpectedly'
    assert re.search(rf'DataLoader worker .*({words})', log.splitlines()[-1])


def test_an_xml_bomb_is_refused_by_name(tmp_path):
    args, _ = voc(tmp_path)
    path = tmp_path / 'Annotations/a.xml'
    path.write_text(BOMB)
    with pytest.raises(ValueError, match=rf'{path}: refused'):
        build(args)


def test_a_hundred_thousand_objects_of_voc(tmp_path):
    args, _ = voc(tmp_path)
    corners = np.random.default_rng(0).integers(1, 15, (MANY, 2)).tolist()
    layouts.write_xml(
        tmp_path / 'Annotations/a.xml',
        [('dog', x, y, x + 9, y + 9) for x, y in corners],
    )
    found = build(args)
    assert len(found) == MANY
    last = found.get_data_info(MANY - 1)
    assert last['object_id'] == f'a_{MANY}'


def test_a_hundred_thousand_objects_of_a_page(tmp_path):
    args, _ = pages(tmp_path / 'pages')
    path = tmp_path / 'pages/pages.json'
    content = json.loads(path.read_text())
    content['annotations'] = [
        dict(content['annotations'][0], id=i, image_id=0) for i in range(MANY)
    ]
    path.write_text(json.dumps(content))
    found = build(args)
    assert len(found.get_data_info(0)['instances']) == MANY
