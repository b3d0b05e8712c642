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
import sys
from pathlib import Path

import torch

from mmocc.apis.occlusion_report import BUILTIN, occlusion_report
from mmocc.datasets.sample_occlusion import REGIONS
from mmocc.occlusion import KINDS
from mmocc.report.checks import at_least, name_problem
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
from mmocc.report.presets import PRESETS
from mmocc.report.seeds import seeds_problem
from mmocc.utils.command import ConfigOptions, add_trust, command_line
from mmocc.utils.hosts import require
from mmocc.utils.one_line import one_line_errors, one_line_values

# What reads configs needs mm, and is imported only where one is named.

PASSED = (  # to the function of the Python interface, as they are
    'kinds', 'texture_bank', 'object_bank', 'texture_size', 'region', 'out',
    'device', 'amp', 'every', 'examples', 'skip_corrupt', 'cfg_options',
    'compare',
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
    add('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
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
    row = 'example images of each cell'
    add('--examples', type=at_least(0), default=12, help=row)
    old = 'of an earlier report, to be shown beside this one'
    add('--compare', metavar='OLD.json', help=old)
    add('--occluded-coco', help='annotation of Occluded COCO (det)')
    add('--separated-coco', help='annotation of Separated COCO (det)')
    skip = 'report without images that cannot be used, instead of failing'
    add('--skip-corrupt', action='store_true', help=skip)
    add('--out', type=Path, default=Path('work_dirs/occlusion'))
    add_trust(parser)
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
    if args.compare and args.preset:
        parser.error('--compare is for one report; --preset may write several')
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
        require('--launcher', 'mmengine')
        from mmocc.apis.report_configs import start_group

        start_group(args.launcher)
    if args.device is None:
        args.device = 'cuda' if torch.cuda.is_available() else 'cpu'


@one_line_errors()
def main() -> None:
    """Test all models in all cells, and write the report."""
    args = parse_args()
    if args.pairs:
        require(f'the config {args.pairs[0][0]}', 'mmengine')
    start(args)
    if of_images(args):
        with one_line_values():
            report_images(args)
        return
    from mmocc.apis.report_configs import report_configs

    report_configs(args)


def of_images(args: argparse.Namespace) -> bool:
    """Return whether --data is a folder of images, as for any torch model."""
    if args.preset:
        return False
    if args.named or args.labels or args.class_names:
        return True
    if not args.data or args.task == 'det':
        return False
    from mmocc.utils.cli import read_config

    configs = [read_config(c, args.cfg_options) for c, _ in args.pairs]
    return not all(has_own_layout(config, args.data) for config in configs)


def report_images(args: argparse.Namespace) -> None:
    """Test any classifiers on a folder of images, by the Python function."""
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
        command=command_line(),
        **{key: getattr(args, key) for key in PASSED},
    )
