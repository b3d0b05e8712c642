"""Gradient checkpointing: the memory that it saves, the time that it costs.

    python -m benchmarks.recompute [--quick] [--only NAME ...] [--json FILE]

Forward and backward of the networks of the largest configs, float32, with
``mmocc.RecomputeHook`` over without. ``memory``: the most that it takes beyond
weights, gradients and images, each in a process of its own; the two columns
are MiB, not ms. ``time``: likewise in ms.

``unet`` is the redrawing of Latent-OFER at 256 px in its released size,
``vgg`` SSD512's backbone, ``vit`` the MAE of ViT-B/16 at 224 px, ``resnet``
ResNet-50 at 224 px.

Predicted before the first run: time at 1.33 throughout, one forward pass more
where a backward pass takes two; memory at 0.7 (unet, whose innermost weights
are most of it), 0.5 (vgg, whose first block alone has half), 0.25 (vit) and
0.5 (resnet, a stage at a time).
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from benchmarks.memory import peak_mib
from benchmarks.timing import Result, Rivals, add_arguments, judge, run_cases
from mmocc.engine.recompute_hook import find, recompute

CONFIGS = Path(__file__).parents[1] / 'configs'
HOW = ('again', 'kept')
VGG_BLOCKS = ('0-4', '5-9', '10-16', '17-22', '23-30')
PARTS = dict(  # what is computed again, as a config names it
    unet=('downs', 'ups'),
    vgg=tuple(f'features.{span}' for span in VGG_BLOCKS),
    vit=('backbone.layers', 'neck.decoder_blocks'),
    resnet=('layer1', 'layer2', 'layer3', 'layer4'),
)
TITLES = dict(
    unet='U-Net of redrawing, 1 picture of 256 px',
    vgg="SSD512's VGG-16, 1 picture",
    vit='MAE of ViT-B/16, 4 pictures of 224 px',
    resnet='ResNet-50, 4 pictures of 224 px',
)


def device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def make_unet() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Return the U-Net in its released size, and a loss of it."""
    from mmocc.models.ofer import HybridUNet

    pictures = torch.randn(2, 1, 3, 256, 256, device=device())
    hole = torch.zeros(1, 1, 256, 256, device=device())
    hole[..., 64:128, 64:128] = 1
    return HybridUNet(), lambda net: net(*pictures, hole).recon.abs().mean()


def make_vgg() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Return SSD512's backbone, and a loss of its two maps."""
    from mmdet.models import SSDVGG

    net = SSDVGG(
        depth=16,
        with_last_pool=False,
        ceil_mode=True,
        out_indices=(3, 4),
        out_feature_indices=(22, 34),
    )
    image = torch.randn(1, 3, 512, 512, device=device())
    return net, lambda net: sum(out.square().mean() for out in net(image))


def make_vit() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Return the MAE that the faces' stages start from, and its loss."""
    cfg = Config.fromfile(CONFIGS / 'ofer/mae_vit-b_faces.py')
    images = torch.randn(4, 3, 224, 224, device=device())
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        net = MODELS.build(cfg.model)
    return net, lambda net: net.loss(images, [])['loss']


def make_resnet() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Return ResNet-50, and a loss of its last map."""
    cfg = dict(type='mmpretrain.ResNet', depth=50)
    images = torch.randn(4, 3, 224, 224, device=device())
    return MODELS.build(cfg), lambda net: net(images)[-1].square().mean()


MAKERS = dict(unet=make_unet, vgg=make_vgg, vit=make_vit, resnet=make_resnet)


def work(name: str, how: str) -> Callable[[], None]:
    """Return forward and backward of a network, with gradients there."""
    torch.manual_seed(0)
    net, loss_of = MAKERS[name]()
    net.to(device()).train()
    for chain in (c for n in PARTS[name] for c in find(net, n)):
        if how == 'again':
            recompute(chain)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return lambda: loss_of(net).backward()


def time_case(name: str) -> Rivals:
    """Return both ways, to be timed."""
    ours, other = (work(name, how) for how in HOW)
    return Rivals(f'time of {TITLES[name]}: again / kept', ours, other)


def memory_case(name: str) -> Result:
    """Return the memory of both ways."""
    found = []
    for how in HOW:
        command = [sys.executable, '-m', 'benchmarks.recompute', '--child']
        done = subprocess.run(
            [*command, name, how],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found.append(float(done.stdout.split()[-1]))
    ratio = found[0] / found[1]
    title = f'MiB of {TITLES[name]}: again / kept'
    verdict = judge(Rivals(title, None, None, target=1.0), ratio)
    return Result(title, *found, ratio, (ratio, ratio), *verdict, 1)


def cases() -> Iterator[tuple[str, Callable[[], Rivals | Result]]]:
    """Yield names of cases and what measures each."""
    for name in MAKERS:
        yield f'memory-{name}', partial(memory_case, name)
        yield f'time-{name}', partial(time_case, name)


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(
        description='Measure gradient checkpointing'
    )
    add_arguments(parser, 9, 'memory or vit')
    parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.child:
        print(peak_mib(work(*args.child)))
    else:
        run_cases(cases(), args)


if __name__ == '__main__':
    main()
