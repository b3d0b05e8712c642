"""A LEARN run of seconds, and a hook by which tests watch and stop it.

``write`` writes all that a run needs into a folder. Its config imports this
module, so this folder must be on PYTHONPATH.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_reduce_dict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, DefaultScope
from mmpretrain.registry import MODELS
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
CLASSES, IMAGES = 3, 8  # 24 images: three steps of eight

CONFIG = """
custom_imports = dict(imports=['mmocc', 'tiny_learn'])
default_scope = 'mmpretrain'
width = 8
baseline = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.5] * 3, std=[60.0] * 3, num_classes=3),
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=width,
        base_channels=width,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=3, in_channels=8 * width, topk=1
    ),
)
model = dict(
    baseline,
    type='mmocc.LEARNClassifier',
    neck=[
        dict(
            type='mmocc.LEARN',
            in_channels=8 * width,
            # Torch's initialisation makes all latents nearly equal.
            init_cfg=dict(type='Kaiming', layer=['Conv2d', 'ConvTranspose2d']),
        ),
        dict(type='GlobalAveragePooling'),
    ],
    loss_intra=dict(gather=gather, loss_weight=1.0),
    loss_inter=dict(gather=gather, loss_weight=1.0),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root='images',
        pipeline=[
            dict(type='LoadImageFromFile'), *augment, dict(type='PackInputs')
        ],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=4)
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9),
)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1),
)
custom_hooks = [dict(type='mmocc.EpochSeedHook'), dict(type='WatchHook')]
randomness = dict(seed=0)
load_from = 'baseline.pth'
"""
AUGMENT = (
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
)


@HOOKS.register_module(force=True)
class WatchHook(Hook):
    """Write the losses, averaged over ranks; hang at HANG_AT_ITER."""

    curve = ()

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if os.environ.get('HANG_AT_ITER') == str(runner.iter):
            Path('hanging').touch()
            time.sleep(600)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs={}):
        losses = {k: v.detach().clone() for k, v in outputs.items()}
        all_reduce_dict(losses, op='mean')
        self.curve += ({k: float(v) for k, v in losses.items()},)
        if runner.rank == 0:
            path = Path(runner.work_dir, 'curve.json')
            path.write_text(json.dumps(self.curve))


def config_text(changes='', gather=False, augment=(), num_workers=0):
    """Return the config with these settings; changes are lines at its end."""
    settings = dict(gather=gather, augment=augment, num_workers=num_workers)
    lines = [f'{name} = {value!r}' for name, value in settings.items()]
    return '\n'.join([*lines, CONFIG, changes])


def write(folder, *args, **kwargs):
    """Write images, config ``tiny.py`` and the checkpoint of a baseline."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        images = folder / 'images' / str(label)
        images.mkdir(parents=True)
        for index in range(IMAGES):
            # Each class has a colour, so that there is something to learn.
            pixels = rng.integers(0, 120, (32, 32, 3), np.uint8)
            pixels[..., label] += 120
            Image.fromarray(pixels).save(images / f'{index}.png')
    path = folder / 'tiny.py'
    path.write_text(config_text(*args, **kwargs))
    save_baseline(Config.fromfile(path), folder / 'baseline.pth')
    return path


def save_baseline(cfg, path):
    """Save an untrained baseline whose features are those of its images."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.baseline)
    model(torch.randn(64, 3, 32, 32))  # gives batch norm its statistics
    torch.save(dict(state_dict=model.state_dict()), path)


def start(folder, *command, **env):
    """Start a run in ``folder``, on the CPU with one thread."""
    path = f'{Path(__file__).parent}:{ROOT}'
    threads = dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
    env = dict(threads, **env, PYTHON=sys.executable, PYTHONPATH=path)
    with (folder / 'log.txt').open('a') as log:
        return subprocess.Popen(
            [str(arg) for arg in command],
            cwd=folder,
            env={**os.environ, 'CUDA_VISIBLE_DEVICES': '', **env},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(folder, process, timeout=600):
    """Wait for a run that must succeed."""
    try:
        code = process.wait(timeout)
    finally:
        kill(process)
    assert code == 0, (folder / 'log.txt').read_text()[-5000:]


def kill(process):
    """Kill a run with all of its processes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def checkpoint(path):
    return torch.load(path, map_location='cpu', weights_only=False)
