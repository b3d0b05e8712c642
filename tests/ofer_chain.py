"""Trains the configs of Latent-OFER on a few faces, stage after stage."""

import csv
import re
import shutil
from itertools import cycle
from pathlib import Path

from conftest import ROOT
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from PIL import Image
from tiny_faces import write_kdef, write_rafdb

from mmocc.synthetic.cartoon_faces import FaceSettings, write_faces
from mmocc.utils import cli

FOLDER = ROOT / 'configs/ofer'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))
# Those -occluded train as the configs they are named after.
TRAINED = [name for name in NAMES if not name.endswith('-occluded')]
SMALL = [n for n in TRAINED if n.endswith(('_fer2013', '_muxspace'))]
SMALL += [name for name in TRAINED if '_cartoon' in name]
SMALL.remove('recon_mae_cartoon')  # has nothing to train
# Detectors that take statistics, without a gradient
FITTED = [n for n in TRAINED if n.startswith('gaussian_')]
SMALL = [n for n in SMALL if n not in FITTED]
FULL = [n for n in TRAINED if n not in SMALL and '_cartoon' not in n]
FULL = [n for n in FULL if n not in FITTED]
LOADERS = ['train_dataloader', 'val_dataloader', 'test_dataloader']
FER2013 = dict(  # folder by expression
    Anger='angry',
    Disgust='disgust',
    Fear='fear',
    Happiness='happy',
    Neutral='neutral',
    Sadness='sad',
    Surprise='surprise',
)
CHECKPOINT = re.compile(r'work_dirs/([^/]+)/epoch_(\d+)\.pth')


def read(name):
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    init_default_scope(cfg.default_scope)
    return cfg


def texts(node):
    """Yield all texts of a config."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from texts(item)
    elif isinstance(node, str):
        yield node


def replace(node, change):
    """Return a config with all its texts changed."""
    if isinstance(node, dict):
        return type(node)({k: replace(v, change) for k, v in node.items()})
    if isinstance(node, list | tuple):
        return type(node)(replace(item, change) for item in node)
    return change(node) if isinstance(node, str) else node


def write_photos(root):
    """Write the cartoon faces in the layouts of the sets of photos."""
    photos = sorted((root / 'faces').glob('t*/*.png'))
    write_rafdb(root / 'raf-basic')
    write_kdef(root / 'kdef')
    for folder in ('raf-basic', 'kdef'):
        paths = sorted((root / folder).rglob('*.[jJ][pP][gG]'))
        for path, photo in zip(paths, cycle(photos)):
            Image.open(photo).resize((100, 100)).save(path)
    for split in ('train', 'validation', 'test'):
        part = root / 'faces' / split.replace('validation', 'val')
        with (part / 'labels.csv').open() as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            place = root / 'fer2013' / split / FER2013[row['expression']]
            place.mkdir(parents=True, exist_ok=True)
            photo = Image.open(part / row['path'])
            photo.convert('L').resize((48, 48)).save(
                place / Path(row['path']).with_suffix('.jpg').name
            )
    for other in ('fer2013/occluders', 'face_occluders'):
        shutil.copytree(root / 'faces/occluders', root / other)
    for name in ('without_mask', 'with_mask'):
        (root / 'face_mask' / name).mkdir(parents=True)
        photo.resize((100, 90)).save(root / 'face_mask' / name / '0.png')
    write_muxspace(root / 'muxspace_expressions', photo)
    write_my_faces(root / 'my_faces', photos)
    for name in ('train', 'test'):
        table = ['path,expression,subject']
        table += [f'{i}.jpg,Anger,P{i % 3}' for i in range(6)]
        write_mux6(root / 'faces_mux6', name, table, photos)


def write_my_faces(root, photos):
    """Write four pictures of each expression."""
    paths = cycle(photos)
    for name in FER2013:
        (root / name).mkdir(parents=True)
        for index, path in zip(range(4), paths, strict=False):
            Image.open(path).save(root / name / f'{name}{index}.jpg')


def write_mux6(root, name, table, photos):
    """Write six photos of three people."""
    root.mkdir(parents=True, exist_ok=True)
    (root / f'{name}.csv').write_text('\n'.join(table))
    for index, path in zip(range(6), cycle(photos)):
        Image.open(path).resize((170, 160)).save(root / f'{index}.jpg')


def write_muxspace(root, photo):
    """Write twelve people: seven, four and one in the three parts."""
    (root / 'images').mkdir(parents=True)
    lines = ['emotion,path']
    for index in range(12):
        photo.save(root / f'images/P{index}_0001.jpg')
        lines.append(f'anger,images/P{index}_0001.jpg')
    (root / 'labels.csv').write_text('\n'.join(lines))


def without_downloads(node):
    """Return a config that loads no weights from a URL."""
    if isinstance(node, dict):
        if '://' in str(node.get('init_cfg')):
            node = {**node, 'init_cfg': None}
        return {k: without_downloads(v) for k, v in node.items()}
    return node


def paste_nothing(pipeline):
    """Leave faces clean: whitening needs each patch clean in two faces."""
    for step in pipeline:
        if step['type'] == 'mmocc.PasteOcclusion':
            step['prob'] = 0.0


class StopAfter(Hook):
    """Interrupts training after some epochs of the config's schedule."""

    def __init__(self, epochs):
        self.epochs = epochs

    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = runner.epoch + 1 == self.epochs


class Chain:
    """Trains configs on a few faces, each on what the earlier stages made."""

    def __init__(self, folder):
        self.folder = folder
        settings = FaceSettings(
            train=7, val=7, test=7, per_subject=7, occluders=2
        )
        write_faces(folder / 'faces', settings)
        write_photos(folder)

    def checkpoint(self, name):
        """Return a checkpoint of a config, training it if need be."""
        path = self.folder / name / 'epoch_1.pth'
        if not path.exists():
            self.train(name, 1)
        return str(path)

    def config(self, name):
        """Return a config that reads the few faces and earlier stages."""

        def own_data(text):
            text = re.sub('^data/', f'{self.folder}/', text)
            return text.replace('work_dirs/ofer_cache', str(self.folder))

        def own_stage(text):
            found = CHECKPOINT.fullmatch(text)
            return self.checkpoint(found[1]) if found else text

        cfg = read(name)
        changed = replace(cfg._cfg_dict.to_dict(), own_data)
        model = replace(changed['model'], own_stage)
        changed.update(model=without_downloads(model), load_from=None)
        cfg = Config(changed, filename=cfg.filename)
        few = name in FULL  # a step of two faces, then one to test
        for loader in (n for n in LOADERS if cfg.get(n)):
            cfg[loader].update(batch_size=2 if few else 3, num_workers=0)
            cfg[loader].dataset.pop('indices', None)
            if few:
                train = loader == 'train_dataloader'
                cfg[loader].dataset.indices = 3 if train else 1
                if train and name.startswith('svdd'):
                    paste_nothing(cfg[loader].dataset.pipeline)
        for hook in cfg.get('custom_hooks', []):
            if hook.get('dataloader'):
                hook.dataloader.update(batch_size=2, num_workers=0)
                hook.dataloader.dataset.pop('indices', None)
        cfg.train_cfg.val_interval = 1
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
        return cfg

    def runner(self, name, epochs, save=True):
        """Return a runner as tools/train.py builds it."""
        cfg = self.config(name)
        if not save:
            cfg.default_hooks.checkpoint = None
        work_dir = self.folder / Path(name).name
        cfg.update(work_dir=str(work_dir), launcher='none')
        cfg.experiment_name = f'{work_dir.name}_{epochs}'
        cli.set_resume(cfg, 'auto')
        cli.fill_dataloaders(cfg, [n for n in LOADERS if cfg.get(n)])
        cli.check_types(cfg)
        return cli.build_runner(cfg)

    def train(self, name, epochs, save=True):
        """Start or resume; return the runner."""
        runner = self.runner(name, epochs, save)
        runner.register_hook(StopAfter(epochs))
        init_default_scope(runner.cfg.default_scope)
        runner.train()
        return runner


def lend(folder):
    """Yield a chain, and delete its checkpoints: pytest keeps the folder."""
    chain = Chain(folder)
    yield chain
    for path in chain.folder.rglob('*.pth'):
        path.unlink()
