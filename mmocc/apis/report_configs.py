"""The report's command for models of mm configs: its jobs, run and tables.

The words of the command are read by :mod:`mmocc.apis.report_command`, which
imports this where a config is named.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_main_process
from mmengine.logging import print_log

from mmocc.datasets.channel_order import to_rgb_of
from mmocc.occlusion import cell_names
from mmocc.report.cells import share_bank
from mmocc.report.checks import check_classes, check_out, check_size
from mmocc.report.classifiers import check_same_classes
from mmocc.report.command_models import with_weights
from mmocc.report.job import Job, Settings
from mmocc.report.page_compare import named_report
from mmocc.report.presets import build_ready, preset_tables
from mmocc.report.run import (
    answer,
    data_faults,
    load_done,
    write_classifiers,
)
from mmocc.report.run_detectors import report_detectors
from mmocc.report.seeds import seed_words
from mmocc.utils.cli import start_cpu_group
from mmocc.utils.command import command_line
from mmocc.utils.config_types import host_of
from mmocc.utils.from_config import build_dataset
from mmocc.utils.one_line import one_line_values


def start_group(launcher: str) -> None:
    """Start the process group of a launcher."""
    start_cpu_group(Config(dict(launcher=launcher)))
    if not torch.distributed.is_initialized():
        init_dist(launcher)


def report_configs(args: argparse.Namespace) -> None:
    """Test models of configs, each on its own test set, and write tables."""
    with one_line_values():
        args.old = named_report(args.compare) if args.compare else None
    options = dict(args.cfg_options or {})
    if args.workers is not None:
        options['test_dataloader.num_workers'] = args.workers
    if args.batch_size is not None:
        options['test_dataloader.batch_size'] = args.batch_size
    keys: tuple[str, ...]
    keys = ('seed', 'region', 'texture_bank', 'object_bank', 'texture_size')
    occlude = {key: getattr(args, key) for key in keys}
    occlude['seed'] = args.seeds[0]
    keys = ('out', 'device', 'every', 'amp', 'occluded_coco', 'separated_coco')
    settings = Settings(
        cfg_options=options,
        data=None if args.preset else args.data,
        trust=args.trust_checkpoint,
        **{key: getattr(args, key) for key in keys},
    )
    if args.preset:
        report_preset(args, settings)
        return
    jobs = make_jobs(args, settings)
    check_out(jobs, args.out)
    if args.task == 'auto':
        hosts = {host_of(job.cfg) for job in jobs}
        args.task = 'det' if hosts == {'mmdet'} else 'cls'
    if args.task == 'det' and args.seeds[1:]:
        sys.exit('--seeds is for classifiers; give detectors one --seed')
    report = run_detectors if args.task == 'det' else report_classifiers
    report(jobs, args, share_bank(cell_names(args.kinds), **occlude))


def make_jobs(args: argparse.Namespace, settings: Settings) -> list[Job]:
    """Return the models of configs."""
    with one_line_values():
        pairs = list(map(with_weights, args.pairs))
    named = zip(args.names, pairs, strict=True)
    return [Job(name, *pair, settings) for name, pair in named]


def report_preset(args: argparse.Namespace, settings: Settings) -> None:
    """Test all classifiers on ready-made occluded sets, table by table."""
    with one_line_values():
        tables = preset_tables(args.preset, args.data, args.clean)
    for table in tables:
        out = args.out / table.name
        jobs = make_jobs(args, replace(settings, out=out))
        check_out(jobs, out)
        report_classifiers(
            jobs,
            argparse.Namespace(**vars(args) | dict(out=out)),
            dict(ready=True),
            list(table.cells),
            partial(build_ready, table=table),
        )


def check_corrupt(jobs: list[Job], skip: bool) -> None:
    """Exit with the list of images with a fault in the data, if any."""
    messages = data_faults(jobs)
    if not messages:
        return
    print_log(
        f'{len(messages)} image(s) cannot be used:\n  ' + '\n  '.join(messages)
    )
    if not skip:
        sys.exit(
            'No report was written. Repair or remove these images, or report '
            'without them: --skip-corrupt (what is computed is kept).'
        )


def run_detectors(
    jobs: list[Job], args: argparse.Namespace, occlude: dict
) -> None:
    """Test all detectors in all cells, and write tables and page."""
    report_detectors(
        jobs,
        cell_names(args.kinds),
        occlude,
        how_made(jobs, args),
        args.out,
        args.examples,
        args.old,
    )


def report_classifiers(
    jobs: list[Job],
    args: argparse.Namespace,
    occlude: dict,
    cells: Sequence[str] = (),
    build: Callable = build_dataset,
) -> None:
    """Test all classifiers in all cells, and write the report."""
    cells = list(cells) or cell_names(args.kinds)
    groups = same_data(jobs)
    datasets = [build(group[0].cfg) for group in groups]
    names = {
        group[0].name: getattr(data, 'metainfo', {}).get('classes')
        for group, data in zip(groups, datasets, strict=True)
    }
    check_same_classes(names)
    for group, dataset in zip(groups, datasets, strict=True):
        check_size(group[0], dataset)
        load_done(group, dataset, cells, occlude)
    for group, dataset in zip(groups, datasets, strict=True):
        check_classes(group, dataset, cells, names[group[0].name])
    twins = answer(
        list(zip(groups, datasets, strict=True)),
        cells,
        occlude,
        args.seeds[1:],
    )
    if is_main_process():
        everyone = [*jobs, *(job for same in twins.values() for job in same)]
        check_corrupt(everyone, args.skip_corrupt)
        write_classifiers(
            jobs,
            groups[0],
            datasets[0],
            names[jobs[0].name],
            how_made(jobs, args),
            args.out,
            args.examples,
            occlude,
            by_seed=twins and {args.seeds[0]: jobs, **twins},
            old=args.old,
        )


def same_data(jobs: list[Job]) -> list[list[Job]]:
    """Return the models in groups that see each occluded image together.

    They have the same test data, and read the same order of channels.
    """
    groups: list[tuple[tuple, list[Job]]] = []
    for job in jobs:
        key = job.cfg.test_dataloader, to_rgb_of(job.cfg)
        group = next((jobs for other, jobs in groups if other == key), None)
        if group is None:
            groups.append((key, [job]))
        else:
            group.append(job)
    return [group for _, group in groups]


def how_made(
    jobs: list[Job], args: argparse.Namespace
) -> dict[str, str | int]:
    """Return how the numbers were made."""
    banks = {
        f'{kind} bank': ', '.join(getattr(args, f'{kind}_bank'))
        for kind in ('texture', 'object')
        if kind in args.kinds
    }
    return dict(
        command=command_line(),
        seed=seed_words(args.seeds),
        device=args.device,
        date=date.today().isoformat(),
        every=args.every,
        torch=torch.__version__,
        **banks,
        **{job.name: f'{job.cfg.filename}, {job.checkpoint}' for job in jobs},
    )
