"""What the tools share, for any mmpretrain or mmdet config.

Functions change one thing in the config, or exit with one line of advice.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.config.utils import ConfigParsingError
from mmengine.device import get_device
from mmengine.registry import HOOKS, RUNNERS, Registry
from mmengine.runner import Runner
from mmengine.utils import get_object_from_string

import mmocc.utils.amp  # noqa: F401  (registers CPUAmpOptimWrapper)
from mmocc.utils.busy import warn_if_busy
from mmocc.utils.checked_runner import CheckedRunner
from mmocc.utils.checkpoints import check_checkpoint as check_checkpoint
from mmocc.utils.checkpoints import latest_checkpoint
from mmocc.utils.command import add_trust as add_trust
from mmocc.utils.command import command_line as command_line
from mmocc.utils.config_types import (
    class_name,
    find_class,
    host_of,
    scope_of,
    types_in,
)
from mmocc.utils.find_config import find_config
from mmocc.utils.one_line import one_line_errors as one_line_errors
from mmocc.utils.tta import use_tta as use_tta


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing have in common."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision'
    )
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='do not pin the memory of dataloaders',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, such as model.head.topk=1,5 '
        'or key="[(a,b),(c,d)]" (quoted, no white space)',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    add_trust(parser)
    # torch.distributed.launch passes the one or the other spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def read_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config, merge ``--cfg-options``, and check the types of mmocc.

    ``path`` may be one of the names that ``find_config`` knows. It exits with
    one line if the file does not exist or does not read.
    """
    with one_line_errors():
        path = find_config(path)
        try:
            cfg = Config.fromfile(path)
        except SyntaxError as error:
            where = f'{path}, line {error.lineno}'
            raise SyntaxError(f'{where}: {error.msg}') from error
        except ConfigParsingError as error:
            raise ConfigParsingError(f'{path}: {error}') from error
        # yapf takes a second each time that mmengine writes the config.
        object.__setattr__(cfg, '_format_python_code', False)
        cfg.merge_from_dict(options or {})
        check_types(cfg)
    return cfg


def load_config(args: argparse.Namespace) -> Config:
    """Read ``args.config`` and apply what training and testing share.

    ``--cfg-options`` come first. The work directory is that of the flag, else
    of the config, else ``work_dirs/<config name>``.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    default = str(Path('work_dirs', Path(args.config).stem))
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or default
    return cfg


def fill_dataloaders(
    cfg: Config,
    fields: Iterable[str],
    pin_memory: bool = True,
    persistent_workers: bool = True,
) -> None:
    """Complete the dataloaders named by ``fields``, as mmpretrain's tools do.

    Configs of other hosts get nothing: mmdet has its own collate function.
    With ``num_workers`` 0 no workers persist: torch refuses it.
    """
    for field in fields:
        loader = cfg.get(field)
        if not isinstance(loader, dict):
            continue
        if host_of(cfg) == 'mmpretrain':
            loader.setdefault('pin_memory', torch.cuda.is_available())
            loader.setdefault('persistent_workers', True)
            loader.setdefault('collate_fn', dict(type='default_collate'))
        if not pin_memory:
            loader.pin_memory = False
        if not persistent_workers or not loader.get('num_workers'):
            loader.persistent_workers = False


def use_data(cfg: Config, folder: str) -> None:
    """Test on the data of another folder, in the same layout.

    It exits with one line if that cannot be.
    """
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if 'datasets' in dataset:
        sys.exit(
            f'--data: the test set of {cfg.filename} joins several; name '
            'their folders by --cfg-options'
        )
    if not Path(folder).is_dir():
        sys.exit(f'--data {folder}: no such folder')
    before = Path(dataset.get('data_root') or '')
    dataset.data_root = folder
    evaluators = cfg.get('test_evaluator') or []
    for metric in [evaluators] if isinstance(evaluators, dict) else evaluators:
        if not metric.get('ann_file'):
            continue
        path = Path(metric.ann_file)
        if not path.is_relative_to(before):
            sys.exit(
                f'--data: test_evaluator.ann_file of {cfg.filename} is '
                f'{path}, outside of data_root; name it by --cfg-options'
            )
        metric.ann_file = str(Path(folder, path.relative_to(before)))


def without_weights(node: Any) -> Any:
    """Return a (part of a) config, plain values, that loads no checkpoint."""
    if isinstance(node, dict):
        return {
            key: without_weights(value)
            for key, value in node.items()
            if key != 'init_cfg' or 'checkpoint' not in str(value)
        }
    if isinstance(node, list | tuple):
        return type(node)(without_weights(child) for child in node)
    return node


def use_amp(cfg: Config) -> None:
    """Train in mixed precision: float16 on a GPU, bfloat16 on a CPU.

    It exits with one line if the config has an optimizer wrapper of its own.
    """
    wrapper = cfg.optim_wrapper
    kind = class_name(wrapper.get('type', 'OptimWrapper'))
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        sys.exit(
            f'--amp would replace the {kind} of optim_wrapper, which may do '
            'more: leave out --amp, or use OptimWrapper.'
        )
    if get_device() == 'cpu':
        wrapper.type = 'CPUAmpOptimWrapper'
        wrapper.pop('loss_scale', None)
        wrapper.pop('dtype', None)
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def set_resume(cfg: Config, resume: str | None) -> None:
    """Resume from a path, or with ``'auto'`` from ``latest_checkpoint``.

    If there is none yet, training starts as the config says.
    """
    if resume is None:
        return
    path = latest_checkpoint(cfg.work_dir) if resume == 'auto' else resume
    if path is not None:
        cfg.resume = True
        cfg.load_from = path


def scale_learning_rate(cfg: Config) -> None:
    """Scale the learning rate to the batch size of all processes."""
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        sys.exit(
            '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) '
            'in the config.'
        )
    cfg.auto_scale_lr.enable = True


def show_predictions(cfg: Config, args: argparse.Namespace) -> None:
    """Draw predictions to ``--show-dir``, or in a window for ``--show``."""
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        sys.exit(
            '--show and --show-dir need a visualization hook in the default_'
            'hooks of the config.'
        )
    switch, folder = 'enable', 'out_dir'
    kind = find_class(hook.get('type'), HOOKS, scope_of(cfg))
    if kind and 'draw' in signature(kind).parameters:  # as mmdet has it
        switch, folder = 'draw', 'test_out_dir'
    hook[switch] = True
    hook[folder] = args.show_dir
    hook.show = args.show
    hook.interval = args.interval
    hook.wait_time = args.wait_time


def start_cpu_group(cfg: Config) -> None:
    """Make the ``pytorch`` launcher work on a machine without a GPU.

    mmengine's launcher selects a CUDA device, unless the process group already
    runs and the wrapper's config has no devices. Processes wait for each other
    ``env_cfg.dist_cfg.timeout`` seconds; by default gloo's half an hour.
    """
    if cfg.launcher != 'pytorch' or get_device() != 'cpu':
        return
    if not dist.is_initialized():
        dist.init_process_group('gloo', **_time_limit(cfg))
    default = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    wrapper = cfg.get('model_wrapper_cfg') or default
    cfg.model_wrapper_cfg = ConfigDict(wrapper)
    cfg.model_wrapper_cfg.device_ids = None


def _time_limit(cfg: Config) -> dict[str, timedelta]:
    """Return how long processes wait for each other, if the config says."""
    dist_cfg = (cfg.get('env_cfg') or {}).get('dist_cfg') or {}
    seconds = dist_cfg.get('timeout')
    if seconds is None:
        return {}
    if not isinstance(seconds, int | float) or seconds <= 0:
        sys.exit(
            f'env_cfg.dist_cfg.timeout is {seconds!r}; it must be a number of '
            'seconds, such as 600.'
        )
    return dict(timeout=timedelta(seconds=seconds))


def check_types(cfg: Config) -> None:
    """Exit with one line if a type ``mmocc.X`` of the config is unknown.

    Classes and full paths to them are known. If a module of mmocc cannot be
    imported, its ImportError is raised.
    """
    named = {kind for kind in types_in(cfg.to_dict()) if isinstance(kind, str)}
    used = sorted(kind for kind in named if kind.startswith('mmocc.'))
    if not used:
        return
    from mmocc import registry

    known = []
    own = [r for r in vars(registry).values() if isinstance(r, Registry)]
    own = [registry for registry in own if registry.scope == 'mmocc']
    for children in own:
        children.import_from_location()
        known += [f'mmocc.{name}' for name in children.module_dict]
    for name in used:
        if name not in known and get_object_from_string(name) is None:
            for children in own:  # the host that it needs may be broken
                find_class(name.partition('.')[2], children, 'mmocc')
            sys.exit(f'No type {name}.{_hint(name, known)}')


def _hint(name: str, known: list[str]) -> str:
    """Return similar names, and which missing host may be the reason."""
    close = difflib.get_close_matches(f'mmocc.{class_name(name)}', known)
    hint = f' Did you mean {" or ".join(close)}?' if close else ''
    for host in ('mmpretrain', 'mmdet'):
        if find_spec(host) is None:
            hint += f' {host} is not installed; some types need it.'
    return hint


def build_runner(cfg: Config) -> Runner:
    """Build the runner that the config asks for; it trains something."""
    warn_if_busy()
    own = 'runner_type' in cfg
    return RUNNERS.build(cfg) if own else CheckedRunner.from_cfg(cfg)
