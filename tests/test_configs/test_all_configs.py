"""Every config below ``configs``: what it says is true, and it runs.

The folders are listed, so that a new config is covered once it exists.
"""

import copy
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import tiny_wsol
import torch
import yaml
from conftest import ROOT
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, MODELS, init_default_scope
from PIL import Image

from mmocc.datasets.voc_objects import VOC_CLASSES
from mmocc.utils import cli

CONFIGS = [
    str(path.relative_to(ROOT / 'configs'))
    for path in sorted((ROOT / 'configs').rglob('*.py'))
    # my_*.py are modules that configs import. Elsewhere: detectors in
    # test_det_configs.py, test_ssd_configs.py and test_dea_configs.py, faces
    # in test_ofer_configs.py, has-mixed in test_hide_and_seek.py
    if not {'_base_', 'benchmark', 'dea', 'ofer'} & set(path.parts)
    and not path.name.startswith(('my_', 'det_'))
    and (path.parent.name != 'hide_and_seek' or '_cam_' in path.name)
]
every_config = pytest.mark.parametrize('name', CONFIGS)
# Those of Hide-and-Seek train on CUB, the digits and Tiny ImageNet; the same
# networks with other data, or with LEARN's recipe, need not.
# EfficientNet-Lite0's controls differ as those of ResNet-18 do.
ALIKE = ('_cam_in1k', '_cam_voc', '_cam_cifar10', '_cam_openimages')
ALIKE += ('_voc12-nopool', '_voc12-has', '_voc12-erasing', '_voc12-cutmix')
every_network = pytest.mark.parametrize(
    'name', [n for n in CONFIGS if not Path(n).stem.endswith(ALIKE)]
)
LOADERS = ['train_dataloader', 'val_dataloader', 'test_dataloader']
PRETRAINED = ('Pretrained', 'mmocc.PackagedWeights')
IMAGES = 4  # in each split: two iterations at a batch of two
OBJECT = """\
<annotation><size><width>32</width><height>32</height></size><object>
<name>{}</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>3</ymin>
<xmax>30</xmax><ymax>28</ymax></bndbox></object></annotation>
"""


@pytest.fixture(autouse=True)
def my_modules(monkeypatch):
    """Let Python find my_*.py as the plugin example tells its users to."""
    monkeypatch.syspath_prepend(ROOT / 'configs/learn/plugin')


@pytest.fixture
def read(occluder_folders, tmp_path):
    """Return a function that reads a config for use without a network."""

    def read(name):
        cfg = Config.fromfile(ROOT / 'configs' / name)
        init_default_scope(cfg.default_scope)
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        for part in (cfg.model.backbone, cfg.model.head):
            if (part.get('init_cfg') or {}).get('type') in PRETRAINED:
                part.pop('init_cfg')
        if cfg.model.get('clean_cache'):
            cfg.model.clean_cache = str(tmp_path / 'features')
        if 'texture_bank' in cfg.model.get('occluder', {}):
            cfg.model.occluder.update(occluder_folders)
        return cfg

    return read


def is_learn(cfg):
    return cfg.model.type == 'mmocc.LEARNClassifier'


def input_size(cfg):
    """Return the side in pixels of the images that the model is made for."""
    sizes = [
        int(np.ravel(step[key])[0])
        for step in cfg.val_dataloader.dataset.pipeline
        for key in ('scale', 'crop_size')
        if key in step
    ]
    return sizes[-1] if sizes else 32  # CIFAR-10 comes at its size


def write_data(root, classes):
    """Write four images of two classes in each layout that configs read."""
    rng = np.random.default_rng(0)
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main', 'meta'):
        (root / folder).mkdir(parents=True)
    for split in ('train', 'val', 'test', 'trainval'):
        names = [f'{split}{index}' for index in range(IMAGES)]
        for index, name in enumerate(names):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), 'uint8'))
            folder = root / split / str(index % 2)
            folder.mkdir(parents=True, exist_ok=True)
            image.save(folder / f'{name}.png')
            image.save(root / f'JPEGImages/{name}.png')
            xml = OBJECT.format(classes[index % 2])
            (root / f'Annotations/{name}.xml').write_text(xml)
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names))
        lines = [f'{i % 2}/{name}.png {i % 2}' for i, name in enumerate(names)]
        (root / f'meta/{split}.txt').write_text('\n'.join(lines))


def point_at(cfg, root):
    """Make a config read images that are written into a folder."""
    classes = cfg.train_dataloader.dataset.get('classes', VOC_CLASSES)
    layout = cfg.train_dataloader.dataset.get('layout')
    if not root.exists() and layout:
        tiny_wsol.write(root, layout, classes)
    elif not root.exists():
        write_data(root, classes)
    for name in LOADERS:
        cfg[name].dataset.data_root = str(root)
        cfg[name].update(batch_size=2, num_workers=0)


def shrink(cfg):
    """Make 224 pixels 64, and VGG's FC layers narrow; all else stays."""
    if input_size(cfg) == 224:
        for step in (s for n in LOADERS for s in cfg[n].dataset.pipeline):
            for key in {'scale', 'crop_size'} & set(step):
                small = np.array(step[key]) * 64 // 224
                step[key] = tuple(small.tolist()) if small.ndim else int(small)
    if cfg.model.head.type == 'mmocc.VGGClsHead':
        cfg.model.head.update(hidden_channels=32, feat_size=2)


class StopAfter(Hook):
    """Interrupts training after some epochs of the config's schedule."""

    def __init__(self, epochs):
        self.epochs = epochs

    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = runner.epoch + 1 == self.epochs


def train(cfg, work_dir, epochs):
    """Start or resume training as tools/train.py does; return the runner."""
    cfg = copy.deepcopy(cfg)
    cfg.train_cfg.val_interval = 1
    cfg.update(work_dir=str(work_dir), launcher='none')
    cfg.experiment_name = f'{work_dir.parent.name}_{epochs}'
    cli.set_resume(cfg, 'auto')
    cli.fill_dataloaders(cfg, LOADERS)
    cli.check_types(cfg)
    runner = cli.build_runner(cfg)
    runner.register_hook(StopAfter(epochs))
    runner.train()
    return runner


def save_baseline(cfg, path):
    """Save what ``load_from`` stands for: the classifier without LEARN."""
    model = {
        key: copy.deepcopy(cfg.model[key])
        for key in ('backbone', 'head', 'data_preprocessor')
    }
    neck = cfg.model.get('neck') or []
    neck = neck if isinstance(neck, list) else [neck]
    neck = [part for part in neck if part.type != 'mmocc.LEARN']
    model = MODELS.build(
        dict(model, type='ImageClassifier', neck=neck or None)
    )
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)


def state_of(path):
    return torch.load(path, weights_only=False)['state_dict']


@every_config
def test_model_fits_its_images_at_full_size_and_its_custom_keys(name, read):
    cfg = read(name)
    model = MODELS.build(cfg.model).eval()
    size = input_size(cfg)
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, size, size))
    assert logits.shape == (1, cfg.data_preprocessor.num_classes)
    names = [key for key, _ in model.named_parameters()]
    paramwise_cfg = cfg.optim_wrapper.get('paramwise_cfg', {})
    for key in paramwise_cfg.get('custom_keys', {}):
        assert any(key in name for name in names), f'{key} matches nothing'


@every_network
def test_config_trains_resumes_and_tests(name, read, tmp_path):
    cfg = read(name)
    shrink(cfg)
    point_at(cfg, tmp_path / 'data')
    if cfg.load_from is not None:
        cfg.load_from = str(tmp_path / 'baseline.pth')
        base = cfg
        if 'baseline_config' in cfg:
            base = read(Path(cfg.baseline_config).relative_to('configs'))
            shrink(base)
        save_baseline(base, cfg.load_from)
    assert train(cfg, tmp_path / 'work', epochs=1).iter == 2
    runner = train(cfg, tmp_path / 'work', epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)
    metrics = runner.test()
    names = {'accuracy/top1', 'localization/top1_clas', 'max_box_acc/v2'}
    assert names & set(metrics)
    assert all(0 <= metrics[name] <= 100 for name in names & set(metrics))

    first = state_of(tmp_path / 'work/epoch_1.pth')
    last = state_of(tmp_path / 'work/epoch_2.pth')
    changed = {key for key in first if not torch.equal(first[key], last[key])}
    assert all(value.isfinite().all() for value in last.values())
    if is_learn(cfg):
        frozen = state_of(cfg.load_from)
        for key, value in frozen.items():
            assert torch.equal(value, last[key]), f'{key} has changed'
        # LEARN, and the count of the occluder's steps
        trained = last.keys() - frozen.keys()
        if cfg.model.get('occluder', {}).get('variants'):
            trained -= {'occluder.steps'}
        assert changed == trained
    else:
        named = runner.model.named_parameters()
        assert {k for k, p in named if p.requires_grad} <= changed
    for path in tmp_path.rglob('*.pth'):  # pytest keeps the folder: 300 MB
        path.unlink()


@every_config
def test_load_from_is_what_the_baseline_config_leaves(name, read):
    cfg = read(name)
    if 'baseline_config' in cfg:
        base = read(Path(cfg.baseline_config).relative_to('configs'))
        folder = Path('work_dirs', Path(cfg.baseline_config).stem)
        last = f'epoch_{base.train_cfg.max_epochs}.pth'
        assert cfg.load_from == str(folder / last)
        assert base.model.type in (
            'ImageClassifier',
            'mmocc.FrozenBackboneClassifier',
        )
    elif is_learn(cfg):
        assert published_config(cfg.load_from) in host_bases(name)
    else:
        assert cfg.load_from is None


def host_bases(name):
    """Return the mmpretrain configs that a config of ours inherits."""
    text = (ROOT / 'configs' / name).read_text()
    found = []
    for word in text.replace('"', "'").split("'"):
        if word.startswith('mmpretrain::'):
            found.append(word.removeprefix('mmpretrain::'))
        elif word.startswith('./'):
            found += host_bases(Path(name).parent / word)
    return found


def published_config(url):
    """Return the mmpretrain config whose published weights a URL names."""
    _, _, weights = url.partition('/mmclassification/')
    folder = Path(mmpretrain.__file__).parent / '.mim/configs'
    for path in folder.glob('*/metafile.yml'):
        for model in yaml.safe_load(path.read_text()).get('Models', []):
            if (model.get('Weights') or '').endswith(f'/{weights}'):
                return model['Config'].removeprefix('configs/')
    raise AssertionError(f'mmpretrain publishes no {weights}')


@pytest.mark.parametrize('name', [n for n in CONFIGS if '-occluded' in n])
def test_occluded_config_hides_in_testing_and_only_there(name, read, tmp_path):
    cfg = read(name)
    point_at(cfg, tmp_path / 'data')
    shares = []
    for loader in LOADERS:
        types = [step['type'] for step in cfg[loader].dataset.pipeline]
        assert ('mmocc.Occlude' in types) == (loader == 'test_dataloader')
    clean = DATASETS.build(cfg.val_dataloader.dataset)
    hidden = DATASETS.build(cfg.test_dataloader.dataset)
    for index in range(IMAGES):
        changed = hidden[index]['inputs'] != clean[index]['inputs']
        assert torch.equal(hidden[index]['inputs'], hidden[index]['inputs'])
        shares.append(changed.any(dim=0).float().mean().item())
    assert min(shares) > 0.15
    assert max(shares) < 0.85
