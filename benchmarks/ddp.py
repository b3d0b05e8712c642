"""How much faster several processes are, and what they send each other.

    python -m benchmarks.ddp [--quick] [--only NAME ...] [--json FILE]

Processes run on the CPU with gloo, one thread each, each with its own batch
(weak scaling). Each case has two lines:

``efficiency``: the time of a training step of one process alone, divided by
that of a step of all together; 1 is the best. Both take turns. With more
processes than cores, it cannot exceed cores / processes; the target is a share
of that.

``sent``: the bytes of gradients that a step sends, divided by those of the
parameters that train; the two columns are KiB, not ms. The frozen parts of
LEARN, DEA and Latent-OFER must not be sent.

Predicted before the first run, for two CPU cores: 0.95 for two processes with
LEARN (a few hundred KiB), 0.85 where all of ResNet-18 trains, half of these
for four processes; ``sent`` 1 for all.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from torch import multiprocessing, nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

from benchmarks import learn, ofer_stages
from benchmarks.timing import (
    Result,
    Rivals,
    add_arguments,
    judge,
    run_cases,
    seconds,
    summarize,
)

CONFIGS = Path(__file__).parents[1] / 'configs'
WORLDS = (2, 4)
TARGET = 0.8  # of what the cores allow
BATCH = dict(learn=32, has=32, ofer=8, dea=2)
SIDE = 320  # of DEA's pages

Made = tuple[nn.Module, dict, dict]  # model, batch, config of optim_wrapper


def make_learn(folder: str, rank: int) -> Made:
    """Return LEARN after half a ResNet-18."""
    banks = Path(folder) / f'banks{rank}'
    banks.mkdir(exist_ok=True)
    textures = banks / 'textures'
    banks = (
        dict(texture_bank=str(textures), object_bank=str(banks / 'cuts'))
        if textures.is_dir()
        else learn.write_banks(banks)
    )
    cfg = learn.load_config('resnet18_cifar10', banks)
    data = ofer_stages.batch_of(BATCH['learn'], 32, rank)
    return learn.build(cfg).train(), data, cfg.optim_wrapper


def make_has(folder: str, rank: int) -> Made:
    """Return the same backbone with Hide-and-Seek: all of it trains."""
    name = 'hide_and_seek/resnet18_has-mixed_cifar10'
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.data_preprocessor = cfg.data_preprocessor
    data = ofer_stages.batch_of(BATCH['has'], 32, rank)
    return learn.build(cfg).train(), data, cfg.optim_wrapper


def make_ofer(folder: str, rank: int) -> Made:
    """Return the last stage of Latent-OFER after its frozen stages."""
    name, _, side = ofer_stages.SIZES[0]
    cfg = Config.fromfile(CONFIGS / f'ofer/{name}.py')
    model = ofer_stages.build(name)
    data = ofer_stages.batch_of(BATCH['ofer'], side, rank)
    ofer_stages.fit_detector(model, data)
    return model.train(), data, cfg.optim_wrapper


def make_dea(folder: str, rank: int) -> Made:
    """Return DEA's decoder on a frozen detector."""
    from mmdet.utils import register_all_modules
    from mmengine.registry import MODELS, init_default_scope
    from mmengine.structures import InstanceData

    from benchmarks import ssd_head

    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIGS / 'dea/dea_conv_ornament-reduced.py')
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.detector_loaded = True  # random weights will do
    low = torch.arange(12)[:, None] * 20 + torch.tensor([rank, 5])
    objects = InstanceData(
        bboxes=torch.cat([low, low + 40], 1).float(),
        labels=torch.zeros(12, dtype=torch.int64),
    )
    images = ofer_stages.batch_of(BATCH['dea'], SIDE, rank)['inputs']
    data = ssd_head.pack(images, [objects] * BATCH['dea'])
    return model.train(), data, cfg.optim_wrapper


MAKERS: dict[str, Callable[[str, int], Made]] = dict(
    learn=make_learn, has=make_has, ofer=make_ofer, dea=make_dea
)


def as_runner(made: Made, wrap: bool) -> tuple[Callable, list[int], nn.Module]:
    """Return a training step, the list of bytes it sends, and the model.

    Args:
        made: Of a maker.
        wrap: Whether gradients are reduced over all processes.
    """
    model, data, cfg = made
    sent: list[int] = []
    wrapped = model
    if wrap:
        wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)

        def reduce(
            group: object, bucket: dist.GradBucket
        ) -> torch.futures.Future[torch.Tensor]:
            buffer = bucket.buffer()
            sent.append(buffer.numel() * buffer.element_size())
            return default_hooks.allreduce_hook(None, bucket)

        wrapped.register_comm_hook(None, reduce)
    optim_wrapper = build_optim_wrapper(wrapped, cfg)

    def step() -> None:
        sent.clear()
        wrapped.train_step(data, optim_wrapper)

    return step, sent, model


def work(rank: int, world: int, name: str, rounds: int, folder: str) -> None:
    """Be one of the processes; the first one writes the times."""
    os.environ['CUDA_VISIBLE_DEVICES'] = ''  # gloo, and so the CPU
    torch.set_num_threads(1)
    MMLogger.get_instance('mmengine', log_level='ERROR')
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store-{name}-{world}',
        rank=rank,
        world_size=world,
    )
    together, sent, model = as_runner(MAKERS[name](folder, rank), True)
    # All make it, as they fit a detector together; the first one uses it.
    alone, _, _ = as_runner(MAKERS[name](folder, rank), False)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(-1, rounds):  # the first is to warm up
        for all_take_part in (number % 2 == 0, number % 2 == 1):
            dist.barrier()
            step = together if all_take_part else alone
            idle = rank and not all_take_part
            taken = 0.0 if idle else seconds(step)
            if number >= 0:
                times[all_take_part].append(taken)
    dist.barrier()
    if rank == 0:
        trained = [p for p in model.parameters() if p.requires_grad]
        size = sum(p.numel() * p.element_size() for p in trained)
        measured = dict(together=times[True], alone=times[False])
        measured |= dict(sent=sum(sent), trained=size)
        torch.save(measured, f'{folder}/{name}-{world}.pth')
    dist.destroy_process_group()


@cache
def measure(name: str, world: int, rounds: int, folder: str) -> dict:
    """Run the processes; return times in seconds, and bytes."""
    args = (world, name, rounds, folder)
    multiprocessing.spawn(work, args, nprocs=world)
    return torch.load(f'{folder}/{name}-{world}.pth')


def efficiency(name: str, world: int, rounds: int, folder: str) -> Result:
    """Return the time of a step of one process over one of all."""
    measured = measure(name, world, rounds, folder)
    cores = len(os.sched_getaffinity(0))
    rivals = Rivals(
        f'{name}: efficiency of {world} processes on {cores} cores, batch '
        f'{BATCH[name]} each',
        *(None, None),
        faster=True,
        target=TARGET * min(1, cores / world),
    )
    return summarize(rivals, measured['together'], measured['alone'])


def sent_bytes(name: str, world: int, rounds: int, folder: str) -> Result:
    """Return what a step sends over what trains, in KiB."""
    measured = measure(name, world, rounds, folder)
    ratio = measured['sent'] / measured['trained']
    title = f'{name}: KiB sent in a step / KiB that train, {world} processes'
    rivals = Rivals(title, None, None, target=1.0)
    return Result(
        title,
        measured['sent'] / 1024,
        measured['trained'] / 1024,
        ratio,
        (ratio, ratio),
        *judge(rivals, ratio),
        rounds,
    )


def cases(
    rounds: int, folder: str
) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield names of cases and what measures each."""
    for name in MAKERS:
        for world in WORLDS:
            for kind in (efficiency, sent_bytes):
                case = f'{kind.__name__.split("_")[0]}-{name}-{world}'
                yield case, partial(kind, name, world, rounds, folder)


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(
        description='Measure training with several processes'
    )
    add_arguments(parser, 15, 'efficiency-learn or sent')
    args = parser.parse_args()
    rounds = 3 if args.quick else args.rounds
    with tempfile.TemporaryDirectory() as folder:
        run_cases(cases(rounds, folder), args)


if __name__ == '__main__':
    main()
