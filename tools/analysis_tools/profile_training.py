"""Measure the parts of a training step, in float32 and mixed precision.

Trains each config for some iterations on its own data, in float32 and in
mixed precision (float16 on a GPU, bfloat16 on a CPU), each in its own process.
Prints a table: images per second, the time of an iteration, its shares, and
the peak memory (of tensors on a GPU, of the process on a CPU). The shares are
the wait for data, the preprocessor, the optimizer, hooks, and arithmetic. On a
GPU, each part ends with a synchronization, so that the shares add up.

Weights are random, unless --weights is given: the time does not depend on
them. A stage after a detector needs --weights, since the detector is fitted.

Example: python tools/analysis_tools/profile_training.py \
    configs/learn/vgg16_digits.py configs/dea/ssd300_diou_voc0712.py
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout, suppress
from functools import wraps
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmocc.utils import cli

PRECISIONS = ('float32', 'mixed')
SHARES = ('data', 'prepare', 'update', 'hooks', 'arithmetic')
HEADER = ('config', 'precision', 'images/s', 'ms', *SHARES, 'peak MiB')


class Enough(Exception):
    """Ends the training."""


class StepTimes(Hook):
    """Times the parts of training iterations, and ends the training.

    Args:
        warmup: Iterations that do not count.
        iters: Iterations that count.
    """

    priority = 'LOWEST'

    def __init__(self, warmup: int, iters: int) -> None:
        self.warmup, self.iters = warmup, iters
        self.spans = defaultdict(list)  # start and end of each call
        self.done = 0

    def before_train(self, runner: Runner) -> None:
        """Watch the parts of an iteration."""
        model = runner.model
        self._watch(runner.train_loop, 'run_iter', 'iteration')
        self._watch(model, 'train_step', 'step')
        bare = model.module if is_model_wrapper(model) else model
        self._watch(bare.data_preprocessor, 'forward', 'prepare')
        wrappers = runner.optim_wrapper
        several = isinstance(wrappers, OptimWrapperDict)
        for wrapper in wrappers.values() if several else [wrappers]:
            self._watch(wrapper, 'step', 'update')
            self._watch(wrapper, 'zero_grad', 'update')

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Forget the warm-up."""
        if self.done == self.warmup:
            self.spans.clear()
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Count, and stop after one more: its start ends the last wait.

        Raises:
            Enough: To end the training.
        """
        self.done += 1
        if self.done > self.warmup + self.iters:
            raise Enough

    def shares(self) -> dict[str, float]:
        """Return the median milliseconds of an iteration and of its parts."""
        iterations = self.spans['iteration']
        starts = [start for start, _ in iterations]
        whole = [b - a for a, b in pairwise(starts)]
        wait = [
            later[0] - earlier[1] for earlier, later in pairwise(iterations)
        ]
        parts = defaultdict(list)
        for start, length in zip(starts[:-1], whole, strict=True):
            for name, spans in self.spans.items():
                took = [b - a for a, b in spans if 0 <= a - start < length]
                parts[name].append(sum(took))
        middle = {n: statistics.median(t) * 1e3 for n, t in parts.items()}
        shares = dict(
            ms=statistics.median(whole) * 1e3,
            data=statistics.median(wait) * 1e3,
            prepare=middle['prepare'],
            update=middle['update'],
            hooks=middle['iteration'] - middle['step'],
        )
        rest = middle['step'] - middle['prepare'] - middle['update']
        return dict(shares, arithmetic=rest)

    def _watch(self, owner: Any, name: str, part: str) -> None:
        """Record when a method starts and ends."""
        method, spans = getattr(owner, name), self.spans

        # wraps: schedulers rely on attributes of the method.
        @wraps(method)
        def watched(*args, **kwargs) -> Any:
            start = now()
            try:
                return method(*args, **kwargs)
            finally:
                spans[part].append((start, now()))

        setattr(owner, name, watched)


def now() -> float:
    """Return the time in seconds, after the device has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def prepare(cfg: Config, precision: str, weights: bool, folder: str) -> None:
    """Make a config train without tests or checkpoints."""
    if not weights:
        cfg.load_from = None
        cfg.model = cli.without_weights(cfg.model.to_dict())
    cfg.work_dir, cfg.launcher = folder, 'none'
    for loop in ('val', 'test'):
        for key in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{loop}_{key}'] = None
    for length in {'max_epochs', 'max_iters'} & set(cfg.train_cfg):
        cfg.train_cfg[length] = 10**9  # StepTimes ends it
    cfg.setdefault('default_hooks', {}).update(checkpoint=None)
    if precision == 'mixed':
        cli.use_amp(cfg)
    cli.fill_dataloaders(cfg, ['train_dataloader'])


def measure(args: argparse.Namespace, path: str, precision: str) -> dict:
    """Return time and memory of a config in one precision."""
    cfg = cli.read_config(path, args.cfg_options)
    times = StepTimes(args.warmup, args.iters)
    logs = redirect_stdout(sys.stderr)
    with tempfile.TemporaryDirectory() as folder, logs:
        prepare(cfg, precision, args.weights, folder)
        runner = cli.build_runner(cfg)
        runner.register_hook(times)
        with suppress(Enough):
            runner.train()
    shares = times.shares()
    images = cfg.train_dataloader.batch_size / shares['ms'] * 1e3
    return dict(shares, images=images, mib=peak_mib())


def peak_mib() -> float:
    """Return the peak memory: of tensors on a GPU, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def cells(path: str, precision: str, run: dict[str, float]) -> list[str]:
    """Return a row of the table."""
    shares = [f'{100 * run[name] / run["ms"]:.0f} %' for name in SHARES]
    numbers = [f'{run["images"]:.1f}', f'{run["ms"]:.1f}']
    name = Path(path).stem
    return [name, precision, *numbers, *shares, f'{run["mib"]:.0f}']


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Profile training steps')
    add = parser.add_argument
    add('configs', nargs='+', help='config files')
    add('--iters', type=int, default=30, help='iterations that count')
    add('--warmup', type=int, default=10, help='iterations before these')
    add('--weights', action='store_true', help='load what the configs name')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    add('--out', help='JSON file for the figures')
    args = parser.parse_args()
    if args.iters < 1 or args.warmup < 0:
        parser.error('--iters must be 1 or more, --warmup 0 or more')
    return args


def main() -> None:
    """Measure each config in both precisions, and print the table."""
    args = parse_args()
    every = []
    print(*(f'| {name} ' for name in HEADER), '|', sep='')
    print('|---|---' + '|---:' * (len(HEADER) - 2) + '|', flush=True)
    for path in args.configs:
        for precision in PRECISIONS:
            # A process for each, whose peak memory starts from 0.
            with ProcessPoolExecutor(1, get_context('spawn')) as pool:
                run = pool.submit(measure, args, path, precision).result()
            row = cells(path, precision, run)
            print(*(f'| {cell} ' for cell in row), '|', sep='', flush=True)
            every.append(dict(run, config=path, precision=precision))
    if args.out:
        device = (
            torch.cuda.get_device_name()
            if torch.cuda.is_available()
            else 'cpu'
        )
        document = dict(device=device, torch=torch.__version__, runs=every)
        Path(args.out).write_text(
            json.dumps(document, indent=2) + '\n', encoding='utf-8'
        )


if __name__ == '__main__':
    main()
