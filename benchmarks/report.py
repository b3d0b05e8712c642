"""Cost of the occlusion report: time over a plain test, and memory.

    python -m benchmarks.report [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.report --memory 1000 10000 50000

``cell``: a cell of the report (loading, occluding, predicting, storing the
answers) over the plain test of the same images by mmengine's Runner, as
``tools/test.py`` runs it, without loading processes.

``--memory``: the largest memory that a process needs for one cell of as many
images of 32x32 pixels; each number is measured in a new process.

Predicted before the first run, for two CPU cores: 1.02 of a plain test for
white, noise and texture and 1.05 for object at 224 pixels with a ResNet-50;
memory grows by less than 100 bytes an image beyond the host's own list of
files.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from benchmarks.learn import write_banks
from benchmarks.timing import Rivals, add_arguments, run_cases
from mmocc.occlusion import KINDS
from mmocc.report import classifiers
from mmocc.utils.from_config import build_dataset

TARGET = 1.10
IMAGES = 32


def write_config(root: Path, depth: int, images: int, side: int) -> Config:
    """Write images in two classes; return a classifier's config for them."""
    rng = np.random.default_rng(0)
    for index in range(images):
        folder = root / 'images' / f'class{index % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{index:06d}.jpg'
        if index < IMAGES:
            coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
            cv2.imwrite(str(path), cv2.resize(coarse, (side + 32, side)))
        else:  # the same content under another name
            first = index % IMAGES
            path.hardlink_to(root / f'images/class{first % 2}/{first:06d}.jpg')
    loader = dict(
        batch_size=8,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CustomDataset',
            data_root=str(root / 'images'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='CenterCrop', crop_size=side),
                dict(type='PackInputs'),
            ],
        ),
    )
    width = 8 if side == 32 else 64
    last = width * 8 * (4 if depth == 50 else 1)
    model = dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[127.5] * 3, std=[64.0] * 3),
        backbone=dict(
            type='ResNet',
            depth=depth,
            stem_channels=width,
            base_channels=width,
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=2, in_channels=last),
    )
    return Config(
        dict(
            default_scope='mmpretrain',
            model=model,
            test_dataloader=loader,
            test_evaluator=dict(type='Accuracy', topk=1),
            test_cfg=dict(),
            default_hooks=dict(logger=dict(type='LoggerHook', interval=10**6)),
            log_level='WARNING',
            work_dir=str(root / 'work'),
        )
    )


def cell_time(
    cell: str, depth: int, side: int, banks: dict[str, str], root: Path
) -> Rivals:
    """Return a cell of the report, and the plain test."""
    root = Path(tempfile.mkdtemp(dir=root))
    cfg = write_config(root, depth, IMAGES, side)
    MMLogger.get_instance('mmengine', log_level='WARNING')
    runner = Runner.from_cfg(cfg)
    model = runner.model.eval()
    dataset = build_dataset(cfg)

    def ours() -> dict:
        loader = classifiers.cell_loader(cfg, dataset, cell, seed=0, **banks)
        return classifiers.predict({'model': model}, loader)

    return Rivals(
        f'{cell}, ResNet-{depth} at {side} px / plain test',
        ours,
        runner.test,
        per=IMAGES,
        target=TARGET if depth == 50 else None,
    )


def cases(banks: dict[str, str], root: Path) -> Iterator[tuple[str, Callable]]:
    """Yield names of cases and the function that prepares each."""
    for depth in (50, 18):
        for cell in ('L0', *(f'L2 {kind}' for kind in KINDS)):
            name = f'cell-resnet{depth}-{cell.replace(" ", "-")}'
            yield name, partial(cell_time, cell, depth, 224, banks, root)


def cell_memory(images: int) -> None:
    """Predict one cell of some images; print the most memory needed."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = write_config(Path(folder), 18, images, 32)
        cfg.test_dataloader.batch_size = 256
        MMLogger.get_instance('mmengine', log_level='WARNING')
        dataset = build_dataset(cfg)
        model = Runner.from_cfg(cfg).model.eval()
        loader = classifiers.cell_loader(cfg, dataset, 'L2 noise', seed=0)
        answers = classifiers.predict({'model': model}, loader)['model']
        assert len(answers.index) == images
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f'{images} images: {peak:.0f} MiB at most', flush=True)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the cost of the occlusion report'
    )
    add_arguments(parser, 9, 'resnet50 or L2-object')
    parser.add_argument(
        '--memory',
        nargs='+',
        type=int,
        metavar='IMAGES',
        help='measure memory instead, with these numbers of images',
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.memory and len(args.memory) == 1:
        cell_memory(args.memory[0])
        return
    for images in args.memory or ():
        command = [sys.executable, '-m', 'benchmarks.report']
        subprocess.run([*command, '--memory', str(images)], check=True)
    if args.memory:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run_cases(cases(write_banks(root), root), args)


if __name__ == '__main__':
    main()
