"""Every config of Latent-OFER: those of small faces train, resume and test.

They are run in their order: a config that names the checkpoint of an earlier
stage gets the one that the test of that stage makes.
"""

import csv
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

from mmocc.datasets.cartoon_faces import FaceSettings, write_faces
from mmocc.utils import cli

FOLDER = ROOT / 'configs/ofer'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))
SMALL = [n for n in NAMES if n.endswith(('_fer2013', '_muxspace'))]
SMALL += [name for name in NAMES if '_cartoon' in name]
SMALL.remove('recon_mae_cartoon')  # has nothing to train
FULL = [name for name in NAMES if name not in SMALL]
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
    """Write the cartoon faces as if they were the sets of photos."""
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
    shutil.copytree(root / 'faces/occluders', root / 'fer2013/occluders')
    for name in ('without_mask', 'with_mask'):
        (root / 'face_mask' / name).mkdir(parents=True)
        photo.resize((100, 90)).save(root / 'face_mask' / name / '0.png')
    write_muxspace(root / 'muxspace_expressions', photo)


def write_muxspace(root, photo):
    """Write twelve people: seven, four and one are of the three parts."""
    (root / 'images').mkdir(parents=True)
    lines = ['emotion,path']
    for index in range(12):
        photo.save(root / f'images/P{index}_0001.jpg')
        lines.append(f'anger,images/P{index}_0001.jpg')
    (root / 'labels.csv').write_text('\n'.join(lines))


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
        self.runners = {}
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
        changed['model'] = replace(changed['model'], own_stage)
        cfg = Config(changed, filename=cfg.filename)
        for loader in (n for n in LOADERS if cfg.get(n)):
            cfg[loader].update(batch_size=3, num_workers=0)
            cfg[loader].dataset.pop('indices', None)
        cfg.train_cfg.val_interval = 1
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
        return cfg

    def runner(self, name, epochs):
        """Return a runner as tools/train.py builds it."""
        cfg = self.config(name)
        work_dir = self.folder / Path(name).name
        cfg.update(work_dir=str(work_dir), launcher='none')
        cfg.experiment_name = f'{work_dir.name}_{epochs}'
        cli.set_resume(cfg, 'auto')
        cli.fill_dataloaders(cfg, [n for n in LOADERS if cfg.get(n)])
        cli.check_types(cfg)
        return cli.build_runner(cfg)

    def train(self, name, epochs):
        """Start or resume; return the runner."""
        runner = self.runner(name, epochs)
        runner.register_hook(StopAfter(epochs))
        init_default_scope(runner.cfg.default_scope)
        runner.train()
        return runner


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    return Chain(tmp_path_factory.mktemp('ofer'))


@pytest.mark.parametrize('name', SMALL)
def test_config_trains_resumes_and_tests(name, chain):
    first = torch.load(chain.checkpoint(name), weights_only=False)
    runner = chain.train(name, epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)  # 7 faces, the last left out
    if runner.cfg.get('test_dataloader'):
        metrics = runner.test()
        assert metrics
        assert all(torch.isfinite(torch.tensor(v)) for v in metrics.values())
    path = chain.folder / name / 'epoch_2.pth'
    last = torch.load(path, weights_only=False)
    named = runner.model.named_parameters()
    trained = {name for name, p in named if p.requires_grad}
    first, last = first['state_dict'], last['state_dict']
    changed = {k for k in last if not torch.equal(first[k], last[k])}
    assert all(v.isfinite().all() for v in last.values())
    assert changed & trained
    frozen = {k for k in last if k.startswith(('stages.', 'extractor.'))}
    assert not changed & frozen
    path.unlink()


def test_the_mae_alone_is_tested_with_the_checkpoint_of_stage_3(chain):
    checkpoint = chain.checkpoint('recon_small_cartoon')
    runner = chain.runner('recon_mae_cartoon', 0)
    runner.load_checkpoint(checkpoint)
    init_default_scope(runner.cfg.default_scope)
    metrics = runner.test()
    assert 0 < metrics['recon/psnr_hole'] < metrics['recon/psnr']
    saved = torch.load(checkpoint, weights_only=False)['state_dict']
    own = runner.model.state_dict()
    assert own
    assert all(torch.equal(value, saved[k]) for k, value in own.items())


def test_pictures_are_drawn_of_a_checkpoint(chain, run_tool, tmp_path):
    name = 'ofer_resnet18_cartoon'
    checkpoint = chain.checkpoint(name)
    chain.config(name).dump(tmp_path / 'config.py')
    tool = ROOT / 'tools/visualization/vis_ofer.py'
    done = run_tool(tool, 'config.py', checkpoint, '-n', '2', '--out', 'out')
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['0000_00000.png', '0001_00006.png', 'faces.png']


def test_the_documented_replacement_of_stages_trains(chain):
    page = (FOLDER / 'README.md').read_text()
    [example] = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    path = chain.folder / 'other_stages.py'
    base = FOLDER / 'ofer_resnet18_cartoon.py'
    path.write_text(f'_base_ = {str(base)!r}\n{example}')
    runner = chain.train(str(path.with_suffix('')), 1)
    stages = runner.model.stages
    assert type(stages.detector).__name__ == 'MAEErrorDetector'
    assert type(stages.reconstructor).__name__ == 'MAEReconstructor'
    assert stages.detector.radius > 0
    assert 0 <= runner.test()['accuracy/top1'] <= 100


@pytest.mark.parametrize('name', NAMES)
def test_checkpoints_are_those_that_other_configs_leave(name):
    for text in texts(read(name)._cfg_dict.to_dict()):
        found = CHECKPOINT.fullmatch(text)
        if found:
            stage = read(found[1])
            assert int(found[2]) == stage.train_cfg.max_epochs, text


@pytest.mark.parametrize('name', [n for n in NAMES if n.startswith('ofer_')])
def test_stages_are_built_as_they_were_trained(name):
    for part in ('extractor', 'detector', 'reconstructor'):
        cfg = read(name).model.get(part)
        if cfg is None:
            continue
        [own] = {
            CHECKPOINT.fullmatch(t)[1] for t in texts(cfg) if 'epoch_' in t
        }
        trained = read(own).model
        for key in set(cfg) - {'type', 'extractor', 'mae', 'init_cfg'}:
            assert cfg[key] == trained[key], f'{part}.{key}'
        for key in ('dims', 'slope', 'kernel', 'whiten', 'unet', 'size'):
            assert cfg.get(key) == trained.get(key), f'{part}.{key}'
        if part == 'extractor':
            assert cfg.mae == trained


@pytest.mark.parametrize('name', [n for n in NAMES if n.startswith('ofer_')])
def test_latents_read_are_as_wide_as_the_maes(name):
    cfg = read(name).model
    readout = cfg.head.get('readout')
    if readout:
        width = cfg.extractor.mae.neck.decoder_embed_dim
        assert readout.in_dims == width


@pytest.mark.parametrize('name', FULL)
def test_types_of_full_size_configs_are_known(name):
    cli.check_types(read(name))


def test_full_size_model_fits_its_images():
    cfg = read('ofer_resnet18_rafdb')
    cfg.model.data_preprocessor = cfg.data_preprocessor
    model = MODELS.build(cfg.model).eval()
    model.stages.detector.radius.fill_(1)
    model.stages.detector.centre.fill_(0.1)
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, 224, 224))
    assert logits.shape == (1, 7)
