r"""What does occlusion cost a model? A report by occluder and level.

Example: python tools/analysis_tools/occlusion_benchmark.py \
    configs/learn/vgg16_voc-baseline.py baseline.pth \
    configs/learn/vgg16_voc.py learn.pth \
    --texture-bank TEXTURES --object-bank CUTOUTS --out work_dirs/occlusion

Models of libraries, on a folder of images (in a folder for each class; or
with --labels FILE.csv, which names path and label; or without labels):
  mmocc report --timm resnet50 vit_small_patch16_224 --data FOLDER
  mmocc report --torchvision resnet50 --checkpoint resnet50=w.pth --data FOLDER
  mmocc report mmpretrain::resnet/resnet50_8xb32_in1k --data FOLDER

Each model is tested on its own test set: clean (L0), and with white, noise,
texture and object occluders that hide 20-40 % (L1), 40-60 % (L2) and 60-80 %
(L3) of the object: its mask, else its box, else the image. The occlusion comes
just before the packing step of the test pipeline, after all geometric steps.
The occlusion of an image depends on the image, not on the model, its input
size or the order of images; the first model is the baseline that the others
are compared with, on the images that both have.

Detectors (configs of mmdet, or --task det): every annotated object is hidden,
right after loading, and the config's own evaluator gives the AP. With
--occluded-coco and --separated-coco, recall on COCO's really occluded objects.

Without banks, only white and noise are tested; --builtin-banks takes those
that mmocc draws itself. Cells that are done are not computed again: an
interrupted report continues where it stopped. Several processes:
torchrun --nproc-per-node=N ... --launcher pytorch
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import init_dist, is_main_process
from mmengine.logging import print_log

from mmocc.apis.occlusion_report import occlusion_report
from mmocc.datasets.channel_order import to_rgb_of
from mmocc.datasets.sample_occlusion import REGIONS
from mmocc.occlusion import KINDS, cell_names
from mmocc.report.cells import share_bank
from mmocc.report.checks import (
    at_least,
    check_classes,
    check_out,
    check_size,
    name_problem,
)
from mmocc.report.classifiers import check_same_classes
from mmocc.report.command_models import (
    add_named,
    has_own_layout,
    make_named,
    model_names,
    read_checkpoints,
    read_names,
    split_pairs,
    with_weights,
)
from mmocc.report.detector_tables import REAL, write_det_results
from mmocc.report.detectors import build_det_dataset, run_det_cell
from mmocc.report.fingerprint import (
    data_parts,
    evaluator_parts,
    occlusion_parts,
)
from mmocc.report.job import Job, Settings
from mmocc.report.occluded_coco import run_occluded_coco
from mmocc.report.presets import PRESETS, build_ready, preset_tables
from mmocc.report.progress import ReportProgress
from mmocc.report.run import (
    answer,
    data_faults,
    load_done,
    write_classifiers,
)
from mmocc.report.seeds import seed_words, seeds_problem
from mmocc.utils import cli
from mmocc.utils.config_types import host_of
from mmocc.utils.from_config import build_dataset

BUILTIN = 'builtin:test'
PASSED = (  # to the function of the Python interface, as they are
    'kinds', 'texture_bank', 'object_bank', 'texture_size', 'region', 'out',
    'device', 'amp', 'every', 'examples', 'skip_corrupt', 'cfg_options',
)  # fmt: skip


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    words = 'CONFIG CHECKPOINT [CONFIG CHECKPOINT ...]; the configs of hosts, '
    words += 'mmpretrain::..., have a checkpoint of their own'
    add('models', nargs='*', help=words)
    add_named(parser)
    add('--amp', action='store_true', help='predict in half precision')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    launchers = ['none', 'pytorch', 'slurm', 'mpi']
    add('--launcher', choices=launchers, default='none', help='job launcher')
    add('--local_rank', '--local-rank', type=int, default=0)
    data = "folder of the test set's data, in place of the config's"
    add('--data', metavar='FOLDER', help=data)
    ready = 'an occluded set that is ready-made, in --data (docs/datasets.md)'
    add('--preset', choices=list(PRESETS), help=ready)
    clean = "ImageNet's validation photos by synset, for --preset smd"
    add('--clean', metavar='FOLDER', help=clean)
    labels = 'of the images of --data: path and label (number or name)'
    add('--labels', metavar='FILE.csv', help=labels)
    names = "names of the models' outputs, one a line (default: ImageNet's)"
    add('--class-names', metavar='FILE', help=names)
    task = 'what the models do; auto: det for configs of mmdet'
    add('--task', choices=['auto', 'cls', 'det'], default='auto', help=task)
    add('--names', nargs='+', help='names of the models')
    add('--kinds', nargs='+', choices=KINDS, help='kinds of occluders')
    textures = f'image folder(s), or {BUILTIN}'
    add('--texture-bank', nargs='+', metavar='DIR', help=textures)
    cutouts = f'folder(s) of RGBA cut-outs, or {BUILTIN}'
    add('--object-bank', nargs='+', metavar='DIR', help=cutouts)
    drawn = f'take {BUILTIN}, drawn by mmocc, for a bank that is not given'
    add('--builtin-banks', action='store_true', help=drawn)
    side = 'side of textures'
    add('--texture-size', type=at_least(1), default=256, help=side)
    region = 'what the hidden share refers to'
    add('--region', choices=REGIONS, default='auto', help=region)
    add('--seed', type=at_least(0), default=0, help='seed of the occlusions')
    several = 'several, in place of --seed: means, and their spread'
    add('--seeds', nargs='+', type=at_least(0), metavar='SEED', help=several)
    every = 'take only every n-th image'
    add('--every', type=at_least(1), default=1, help=every)
    workers = 'loading processes (default: config)'
    add('--workers', type=at_least(0), help=workers)
    batch = 'images a batch (default: config)'
    add('--batch-size', type=at_least(1), help=batch)
    add('--device', help='default: the GPU if there is one')
    row = 'example images a row'
    add('--examples', type=at_least(0), default=12, help=row)
    add('--occluded-coco', help='annotation of Occluded COCO (det)')
    add('--separated-coco', help='annotation of Separated COCO (det)')
    skip = 'report without images that cannot be used, instead of failing'
    add('--skip-corrupt', action='store_true', help=skip)
    add('--out', type=Path, default=Path('work_dirs/occlusion'))
    cli.add_trust(parser)
    args = parser.parse_args()
    args.named = args.named or []
    try:
        args.pairs = split_pairs(args.models)
        known = [name for _, name in args.named]
        args.files = read_checkpoints(args.checkpoint, known)
    except ValueError as error:
        parser.error(str(error))
    check_choice(parser, args)
    args.names = args.names or model_names(args.pairs, args.named)
    if problem := name_problem(args.names, len(args.pairs) + len(args.named)):
        parser.error(problem)
    if args.builtin_banks:
        args.texture_bank = args.texture_bank or [BUILTIN]
        args.object_bank = args.object_bank or [BUILTIN]
    if args.preset:  # nothing is hidden by mmocc
        args.kinds = []
        return args
    banks = dict(texture=args.texture_bank, object=args.object_bank)
    missing = [kind for kind, folders in banks.items() if not folders]
    if args.kinds is None:
        args.kinds = [kind for kind in KINDS if kind not in missing]
        for kind in missing:
            print(
                f'no --{kind}-bank: kind {kind!r} is left out; name a folder, '
                'or draw it with --builtin-banks'
            )
    if bool(args.occluded_coco) != bool(args.separated_coco):
        parser.error('give both of --occluded-coco and --separated-coco')
    for kind in set(args.kinds) & set(missing):
        parser.error(
            f'kind {kind} needs --{kind}-bank DIR, or --builtin-banks'
        )
    return args


def check_choice(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """End with one line if options do not go together."""
    if not args.pairs and not args.named:
        parser.error('name a model: CONFIG CHECKPOINT, --timm, --torchvision')
    if args.named and not args.data:
        parser.error('--timm and --torchvision need --data FOLDER')
    if args.preset and (args.named or args.labels or args.task == 'det'):
        parser.error('--preset is for CONFIG CHECKPOINT of classifiers')
    if args.clean and not args.preset:
        parser.error('--clean is for --preset smd')
    if args.named and args.task == 'det':
        parser.error('--timm and --torchvision name classifiers')
    if (args.labels or args.class_names) and not args.data:
        parser.error('--labels and --class-names need --data FOLDER')
    args.seeds = args.seeds or [args.seed]
    if problem := seeds_problem(args.seeds):
        parser.error(f'--seeds {problem}')


def start(args: argparse.Namespace) -> None:
    """Start the process group and choose the device."""
    for stream in (sys.stdout, sys.stderr):  # names in any language
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    if args.launcher != 'none':
        cfg = Config(dict(launcher=args.launcher))
        cli.start_cpu_group(cfg)
        if not torch.distributed.is_initialized():
            init_dist(args.launcher)
    if args.device is None:
        args.device = 'cuda' if torch.cuda.is_available() else 'cpu'


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


@cli.one_line_errors()
def main() -> None:
    """Test all models in all cells, and write the report."""
    args = parse_args()
    start(args)
    if not args.preset and of_images(args):
        report_images(args)
        return
    options = dict(args.cfg_options or {})
    if args.workers is not None:
        options['test_dataloader.num_workers'] = args.workers
    if args.batch_size is not None:
        options['test_dataloader.batch_size'] = args.batch_size
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
    report = report_detectors if args.task == 'det' else report_classifiers
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


def of_images(args: argparse.Namespace) -> bool:
    """Return whether --data is a folder of images, as for any torch model."""
    if args.named or args.labels or args.class_names:
        return True
    if not args.data or args.task == 'det':
        return False
    configs = [cli.read_config(c, args.cfg_options) for c, _ in args.pairs]
    return not all(has_own_layout(config, args.data) for config in configs)


def report_images(args: argparse.Namespace) -> None:
    """Test any classifiers on a folder of images, by the Python function."""
    with one_line_values():
        pairs = list(map(with_weights, args.pairs))
        named = make_named(args.named, args.files, args.trust_checkpoint)
        occlusion_report(
            dict(zip(args.names, [*pairs, *named], strict=True)),
            args.data,
            labels=args.labels,
            class_names=args.class_names and read_names(args.class_names),
            seeds=args.seeds,
            batch_size=args.batch_size or 32,
            workers=args.workers or 0,
            trust_checkpoint=args.trust_checkpoint,
            command=cli.command_line(),
            **{key: getattr(args, key) for key in PASSED},
        )


@contextmanager
def one_line_values() -> Iterator[None]:
    """End the program with the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        if os.environ.get('MMOCC_TRACEBACK'):
            raise
        sys.exit(str(error))


def report_detectors(
    jobs: list[Job], args: argparse.Namespace, occlude: dict
) -> None:
    """Test all detectors in all cells, and write the tables."""
    results: dict[str, dict] = {}
    real = (args.occluded_coco, args.separated_coco)
    plans = {}
    for job in jobs:
        dataset = build_det_dataset(job.cfg)
        check_size(job, dataset)
        data = data_parts(job.cfg, dataset) | evaluator_parts(job.cfg)
        parts = {
            cell: data | occlusion_parts(cell, **occlude)
            for cell in cell_names(args.kinds)
        }
        works = {
            cell: partial(run_det_cell, cell=cell, **occlude)
            for cell in cell_names(args.kinds)
        }
        if args.occluded_coco:
            parts[REAL] = data | evaluator_parts(job.cfg, *real)
            works[REAL] = partial(
                run_occluded_coco,
                occluded_ann=args.occluded_coco,
                separated_ann=args.separated_coco,
            )
        plans[job.name] = (job, works, parts)
    with ReportProgress(
        sum(len(works) for _, works, _ in plans.values())
    ) as bar:
        for name, (job, works, parts) in plans.items():
            results[name] = {}
            for cell, work in works.items():
                before = bar.done
                work = partial(work, progress=bar)
                results[name][cell] = job.detect(cell, work, parts[cell])
                if bar.done == before:  # it was read back
                    bar.skip(1)
    if is_main_process():
        write_det_results(results, how_made(jobs, args), args.out)
        tables = (args.out / 'det_occlusion.md').read_text(encoding='utf-8')
        print_log(f'\n{tables}')
        print_log(f'wrote {args.out}/det_occlusion.json, .csv and .md')


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
        command=cli.command_line(),
        seed=seed_words(args.seeds),
        device=args.device,
        date=date.today().isoformat(),
        every=args.every,
        torch=torch.__version__,
        **banks,
        **{job.name: f'{job.cfg.filename}, {job.checkpoint}' for job in jobs},
    )


if __name__ == '__main__':
    main()
