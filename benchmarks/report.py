"""Cost of the occlusion report: time over a plain test, and memory.

    python -m benchmarks.report [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.report --memory 1000 10000 50000

``cell``: a cell of the report (loading, occluding, predicting, storing the
answers) over the plain test of the same images by mmengine's Runner, as
``tools/test.py`` runs it, without loading processes.

``python``: the cell of a torch module, as ``mmocc.occlusion_report`` computes
it, over the cell of the same network from an mm config, as the tool does.

``loop``: the cell of a torch module over a plain evaluation loop of the kind
that timm has (ImageFolder, DataLoader, top-1 and top-5), without occlusion.

``--memory``: the largest memory that a process needs for one cell of as many
images of 32x32 pixels; each number is measured in a new process.

Predicted before the first run, for two CPU cores: 1.02 of a plain test for
white, noise and texture and 1.05 for object at 224 pixels with a ResNet-50;
memory grows by less than 100 bytes an image beyond the host's own list of
files. For modules: 1.00 of the tool's cell; 1.03 of the loop for L0, 1.06 for
white and 1.10 for object.
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
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.learn import write_banks
from benchmarks.timing import Rivals, add_arguments, run_cases
from mmocc.occlusion import KINDS
from mmocc.report import classifiers
from mmocc.report.cells import share_bank
from mmocc.report.job import Settings
from mmocc.report.torch_images import TorchImages
from mmocc.report.torch_model import TorchJob
from mmocc.utils.from_config import build_dataset

TARGET, PYTHON_TARGET = 1.10, 1.05
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
        data_preprocessor=dict(mean=[127.5] * 3, std=[64.0] * 3, to_rgb=True),
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


class Network(nn.Module):
    """The network of an mm classifier, without its data preprocessor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, 3, H, W)."""
        return self.model.head(self.model.extract_feat(images))


def module_cell(
    network: nn.Module, folder: Path, cell: str, side: int, occlude: dict
) -> tuple[Callable[[], dict], Callable[[], float]]:
    """Return a cell of a torch module, and a plain loop over its images.

    ``occlude`` are arguments of ``mmocc.Occlude`` with the bank built.
    """
    transform = transforms.Compose(
        [
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [64 / 255] * 3),
        ]
    )
    images = ImageFolder(str(folder), transform)
    settings = Settings(folder.parent / 'report')
    job = TorchJob('module', network, transform, settings, batch_size=8)
    dataset = TorchImages(ImageFolder(str(folder)), transform)

    def ours() -> dict:
        loader = classifiers.cell_loader(job.cfg, dataset, cell, **occlude)
        return classifiers.predict({'module': job.ready()}, loader)

    @torch.no_grad()
    def loop() -> float:
        right = torch.zeros(2)
        for pictures, labels in DataLoader(images, batch_size=8):
            top = network(pictures).topk(2).indices == labels[:, None]
            right += torch.stack([top[:, 0].sum(), top.sum()])
        return float(right[0]) / len(images)

    return ours, loop


def module_time(
    rival: str, cell: str, side: int, banks: dict[str, str], root: Path
) -> Rivals:
    """Return a cell of a torch module, and the ``tool`` or a ``loop``."""
    root = Path(tempfile.mkdtemp(dir=root))
    cfg = write_config(root, 50, IMAGES, side)
    MMLogger.get_instance('mmengine', log_level='WARNING')
    model = Runner.from_cfg(cfg).model.eval()
    occlude = share_bank([cell], seed=0, **banks)
    ours, loop = module_cell(
        Network(model), root / 'images', cell, side, occlude
    )
    dataset = build_dataset(cfg)

    def tool() -> dict:
        loader = classifiers.cell_loader(cfg, dataset, cell, **occlude)
        return classifiers.predict({'model': model}, loader)

    return Rivals(
        f'{cell}, torch module, ResNet-50 at {side} px / {rival}',
        ours,
        loop if rival == 'loop' else tool,
        per=IMAGES,
        target=TARGET if rival == 'loop' else PYTHON_TARGET,
    )


def cases(banks: dict[str, str], root: Path) -> Iterator[tuple[str, Callable]]:
    """Yield names of cases and the function that prepares each."""
    for depth in (50, 18):
        for cell in ('L0', *(f'L2 {kind}' for kind in KINDS)):
            name = f'cell-resnet{depth}-{cell.replace(" ", "-")}'
            yield name, partial(cell_time, cell, depth, 224, banks, root)
    for rival, prefix in (('tool', 'python'), ('loop', 'loop')):
        for cell in ('L0', *(f'L2 {kind}' for kind in KINDS)):
            name = f'{prefix}-{cell.replace(" ", "-")}'
            yield name, partial(module_time, rival, cell, 224, banks, root)


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
    add_arguments(parser, 9, 'resnet50, python or L2-object')
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
