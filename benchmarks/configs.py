"""Training steps and pipelines of our configs, compared with stock ones.

    python -m benchmarks.configs [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.configs --memory [--only NAME ...]

``step``: a training step, from uint8 images to updated weights, compared with
that of the nearest config without mmocc: the same network, all of it trained.

``loading``: an image through a training pipeline, compared with the same
pipeline without our transforms.

``--memory``: the peak memory of one step beyond model and batch, each in its
own process.

Predicted before the first run, for one CPU core: steps at 0.75 for LEARN
(frozen, but with two images for each), 1.00 for Hide-and-Seek, 0.55 for DEA
(no gradient of the detector) and 3 for Latent-OFER's fourth stage without its
cache; loading at 1.1 and 1.5; memory below 1 for LEARN and DEA.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from benchmarks import dea, learn, ofer_stages, ssd_head
from benchmarks.memory import peak_mib
from benchmarks.timing import Rivals, add_arguments, run_cases

CONFIGS = Path(__file__).parents[1] / 'configs'
WHO = ('ours', 'other')

Step = Callable[[], object]


def train_step(model: BaseModel, cfg: Config, data: dict) -> Step:
    """Return a training step of a model with the optimizer of its config."""
    wrapper = build_optim_wrapper(model.train(), cfg.optim_wrapper)
    return partial(model.train_step, data, wrapper)


def photos(batch: int, side: int, classes: int) -> dict:
    """Return uint8 images and labels, as a dataloader gives them."""
    torch.manual_seed(0)
    images = torch.randint(256, (batch, 3, side, side), dtype=torch.uint8)
    samples = [DataSample().set_gt_label(i % classes) for i in range(batch)]
    return dict(inputs=images, data_samples=samples)


def learn_step(who: str, folder: str) -> Step:
    """Return a step of ResNet-50 with LEARN, or of its phase 1."""
    name = 'resnet50_voc' if who == 'ours' else 'resnet50_voc-baseline'
    banks = learn.write_banks(Path(folder)) if who == 'ours' else {}
    cfg = learn.load_config(name, banks)
    data = photos(8, 224, cfg.model.head.num_classes)
    return train_step(learn.build(cfg), cfg, data)


def has_step(who: str, folder: str) -> Step:
    """Return a step of ResNet-50 with Hide-and-Seek, or without."""
    name = 'has-mixed' if who == 'ours' else 'cam'
    path = CONFIGS / f'hide_and_seek/resnet50_{name}_in1k.py'
    cfg = Config.fromfile(path)
    cfg.model.data_preprocessor = cfg.data_preprocessor
    cfg.model.backbone.init_cfg = None
    return train_step(learn.build(cfg), cfg, photos(8, 224, 1000))


def dea_step(who: str, folder: str) -> Step:
    """Return a step of DEA's decoder over SSD300, or of mmdet's SSD300."""
    if who == 'ours':
        model = dea.build(**dea.PARTS['conv'])
        model.detector_loaded = True  # its weights do not matter here
    else:
        model = ssd_head.build('voc', 'other')
    cfg = Config.fromfile(CONFIGS / 'dea/dea_conv_ornament.py')
    return train_step(model, cfg, ssd_head.batch_of('voc', 4))


def ofer_step(who: str, folder: str) -> Step:
    """Return a step of stage 4 without its cache, or of its ResNet-18."""
    name, batch, side = ofer_stages.SIZES[0]
    cfg = Config.fromfile(CONFIGS / f'ofer/{name}.py')
    data = ofer_stages.batch_of(batch, side)
    if who == 'ours':
        model = ofer_stages.build(name)
        ofer_stages.fit_detector(model, data)
    else:
        head = dict(
            type='LinearClsHead',
            num_classes=7,
            in_channels=cfg.model.head.in_channels,
        )
        network = dict(
            type='ImageClassifier',
            backbone=cfg.model.backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=head,
            data_preprocessor=cfg.data_preprocessor,
        )
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            model = MODELS.build(network)
    return train_step(model, cfg, data)


STEPS = {
    'learn': ('LEARN, ResNet-50, 8 photos / training it whole', learn_step),
    'has': ('Hide-and-Seek, ResNet-50, 8 photos / without', has_step),
    'dea': ('DEA, 4 photos / SSD300 of mmdet', dea_step),
    'ofer': ('Latent-OFER, 32 small faces / its CNN alone', ofer_step),
}


def step_case(name: str, folder: str) -> Rivals:
    """Return both steps."""
    title, make = STEPS[name]
    (Path(folder) / name).mkdir()
    folder = f'{folder}/{name}'
    return Rivals(f'step {title}', **{who: make(who, folder) for who in WHO})


def loading_case(name: str, folder: str) -> Rivals:
    """Return the loading of an image with our transforms, and without."""
    folder = Path(folder) / f'loading-{name}'
    folder.mkdir()
    path = folder / 'photo.jpg'
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    side = dict(has=(500, 375), ofer=(64, 64))[name]
    cv2.imwrite(str(path), cv2.resize(coarse, side))
    if name == 'has':
        cfg = Config.fromfile(CONFIGS / 'hide_and_seek/resnet50_cam_in1k.py')
        ours = cfg.train_pipeline[:]
        ours.insert(-1, dict(type='mmocc.HideAndSeek'))
    else:
        occluders = folder / 'occluders'
        occluders.mkdir()
        cuts = Path(learn.write_banks(folder)['object_bank'])
        cuts.rename(occluders / cuts.name)  # one kind of occluder
        paste = dict(
            type='mmocc.PasteOcclusion',
            occluders=str(occluders),
            patch_size=8,
        )
        flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
        load = dict(type='LoadImageFromFile')
        ours = [load, flip, paste, dict(type='PackInputs')]
    plain = [one for one in ours if not one['type'].startswith('mmocc.')]
    works = {}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        for who, pipeline in zip(WHO, (ours, plain), strict=True):
            run = Compose([TRANSFORMS.build(one) for one in pipeline])
            works[who] = partial(load_one, run, str(path))
    return Rivals(f'loading {name} / without our transform', **works)


def load_one(pipeline: Compose, path: str) -> object:
    """Return the result of a pipeline for an image file."""
    return pipeline(dict(img_path=path, gt_label=0, sample_idx=0))


def cases(folder: str) -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield names of cases and what sets each up."""
    for name in STEPS:
        yield f'step-{name}', partial(step_case, name, folder)
    for name in ('has', 'ofer'):
        yield f'loading-{name}', partial(loading_case, name, folder)


def print_memory(only: list[str]) -> None:
    """Print the peak memory of both steps of each case."""
    for name, (title, _) in STEPS.items():
        if any(part in f'step-{name}' for part in only):
            ours, other = (memory_of(name, who) for who in WHO)
            print(
                f'memory of step {title}: {ours:.0f} and {other:.0f} MiB, '
                f'ratio {ours / other:.2f}',
                flush=True,
            )


def memory_of(name: str, who: str) -> float:
    """Return the MiB that a step needs, measured in its own process."""
    command = [sys.executable, '-m', 'benchmarks.configs', '--child']
    done = subprocess.run(
        [*command, name, who], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(description='Measure our configs')
    add_arguments(parser, 9, 'step-learn or loading')
    parser.add_argument(
        '--memory', action='store_true', help='measure memory, not time'
    )
    parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        if args.child:
            name, who = args.child
            print(peak_mib(STEPS[name][1](who, folder)))
        elif args.memory:
            print_memory(args.only)
        else:
            run_cases(cases(folder), args)


if __name__ == '__main__':
    main()
