"""What several tests share: tools in processes, and a tiny config."""

import importlib.util
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image

import mmocc  # noqa: F401  (before mmdet, which may need its operators)

ROOT = Path(__file__).resolve().parents[1]
forked.leave_configs_unformatted()
HALVES = [
    torch.bfloat16,
    pytest.param(
        torch.float16,
        marks=pytest.mark.skipif(
            not hasattr(torch.amp, 'GradScaler'),
            reason='torch before 2.3 has no float16 autocast on a CPU',
        ),
    ),
]

# How much is fuzzed: little and always the same, or, with
# --hypothesis-profile=long, much and new each time.
with suppress(ImportError):  # the tests themselves say that it is missing
    from hypothesis import HealthCheck, settings

    COMMON = dict(
        deadline=None,  # the machine may be busy
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile(
        'quick', max_examples=100, derandomize=True, **COMMON
    )
    settings.register_profile('long', max_examples=1500, **COMMON)
    settings.load_profile('quick')

TINY_CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, num_classes=2),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=64, topk=1),
)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root={root!r},
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    ),
)
val_dataloader = test_dataloader = dict(
    train_dataloader, sampler=dict(type='DefaultSampler', shuffle=False)
)
val_evaluator = test_evaluator = dict(type='Accuracy', topk=1)
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    visualization=dict(type='VisualizationHook'),
)
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
)
work_dir = {work_dir!r}
randomness = dict(seed=0)
"""


def import_tool(path):
    """Return a script of this checkout as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _scope_ends_here():
    """Take back the default scope, which is the whole process's.

    Else the host that one test initialised decides where another test's
    transforms are looked for, and the order of files decides who passes.
    """
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


scope_ends_with_test = pytest.fixture(autouse=True)(_scope_ends_here)
scope_ends_with_file = pytest.fixture(autouse=True, scope='module')(
    _scope_ends_here
)


@pytest.fixture(autouse=True)
def environment_ends_with_test():
    """Take back what a test set in the environment.

    The guard on checkpoints, for one, forbids torch to load anything else.
    """
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before) - {'PYTEST_CURRENT_TEST'}:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def run_tool(tmp_path):
    """Run a script of this checkout in ``tmp_path`` and return its result."""

    def run(*args, **env):
        command = [str(a) for a in args]
        base = dict(os.environ, PYTHON=sys.executable, PYTHONPATH=str(ROOT))
        if command[0] == sys.executable and command[1][-3:] in ('-m', '.py'):
            del command[0]
        if command[0] == '-m' or command[0].endswith('.py'):
            # CUDA cannot be used in a fork of a process that asked for it.
            if not torch.cuda.is_available():
                return forked.run(command, tmp_path, {**base, **env})
            command.insert(0, sys.executable)
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**base, **env},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def write_tiny_config(folder):
    """Write a mmpretrain config, and four 32-px images for it to learn."""
    rng = np.random.default_rng(0)
    for name, low in (('dark', 0), ('light', 128)):
        images = folder / 'images' / name
        images.mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(low, low + 128, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(images / f'{index}.png')
    path = folder / 'tiny.py'
    path.write_text(
        TINY_CONFIG.format(
            root=str(folder / 'images'), work_dir=str(folder / 'work')
        )
    )
    return path


@pytest.fixture
def tiny_config(tmp_path):
    """Return a config that trains two iterations in a second."""
    return write_tiny_config(tmp_path)


@pytest.fixture(scope='session')
def occluder_folders(tmp_path_factory):
    """Write a texture and a cut-out folder; return them as bank arguments."""
    root = tmp_path_factory.mktemp('occluders')
    rng = np.random.default_rng(0)
    for name in ('textures', 'objects'):
        (root / name).mkdir()
    for index in range(3):
        texture = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(texture).save(root / 'textures' / f'{index}.png')
        y, x = np.mgrid[:40, :50]
        radius = np.hypot(y - 20, x - 25)
        alpha = (radius < 18) & (radius > 4 * index)  # a disc and two rings
        cutout = np.dstack([texture, 255 * alpha.astype(np.uint8)])
        Image.fromarray(cutout).save(root / 'objects' / f'{index}.png')
    return dict(
        texture_bank=str(root / 'textures'), object_bank=str(root / 'objects')
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where fuzzed files are written, each over the one before."""
    return tmp_path_factory.mktemp('fuzz')
