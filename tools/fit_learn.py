r"""Train LEARN without labels, for a classifier of timm or torchvision.

Example: mmocc fit-learn --timm tf_efficientnet_lite0 --images my_photos \
    --layer blocks.4 --views 4 --out lite0_learn.pt

Photographs are taken from the folders and those in them; they need no labels,
and the more diverse, the better. LEARN is written alone, in half precision:

    handle = mmocc.learn.load(model, 'lite0_learn.pt')

The last line says what it does to photographs that were held out. If it does
no good, nothing is written.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from mmocc.learn import fit_learn
from mmocc.learn.views import BUILTIN, list_photos
from mmocc.occlusion import KINDS
from mmocc.report.named_models import LIBRARIES, NamedModel

TOLD = (ValueError, OSError, FloatingPointError, ImportError)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    model = parser.add_mutually_exclusive_group(required=True)
    for library in LIBRARIES:
        model.add_argument(f'--{library}', metavar='NAME')
    add('--checkpoint', metavar='FILE', help="weights; default: the library's")
    add(
        '--trust-checkpoint',
        action='store_true',
        help='let that file run code while it is loaded',
    )
    add('--images', nargs='+', required=True, metavar='FOLDER')
    add('--layer', help='module to repair; default: that of the last map')
    add(
        '--out',
        type=Path,
        default=Path('learn.pt'),
        help='default: %(default)s',
    )
    for name, number, text in (
        ('--epochs', 10, 'passes over the views'),
        ('--views', 1, 'of each photograph: the whole, and random crops'),
        ('--variants', 3, 'occluded variants of each view'),
        ('--batch-size', 32, 'hidden views in a batch'),
        ('--seed', 0, 'of all that is random'),
    ):
        add(name, type=int, default=number, help=f'{text}; default: {number}')
    for name, value, text in (
        ('--lr', 1e-3, 'highest learning rate'),
        ('--validation', 0.1, 'share of the photographs that is held out'),
        ('--memory-gib', 4.0, 'for features'),
        ('--left-alone', 0.98, 'share of clean views that stay as they are'),
        ('--max-clean-cost', 0.01, 'share of clean answers that may change'),
    ):
        add(name, type=float, default=value, help=f'{text}; default: {value}')
    add('--kinds', nargs='+', default=list(KINDS), choices=KINDS)
    add('--texture-bank', nargs='+', default=[BUILTIN], metavar='FOLDER')
    add('--object-bank', nargs='+', default=[BUILTIN], metavar='FOLDER')
    add('--device', help='default: the GPU if there is one')
    return parser.parse_args()


def named_model(args: argparse.Namespace) -> NamedModel:
    """Return the classifier that the command line names."""
    library = next(name for name in LIBRARIES if getattr(args, name))
    return LIBRARIES[library](
        getattr(args, library), args.checkpoint, args.trust_checkpoint
    )


def photos_of(folders: Sequence[str]) -> list[Path]:
    """Return the photographs of all folders."""
    return [photo for folder in folders for photo in list_photos(folder)]


def main() -> int:
    """Train, and write LEARN; 1 if it does no good."""
    args = parse_args()
    try:
        return run(args)
    except TOLD as error:
        sys.exit(str(error).strip())


def run(args: argparse.Namespace) -> int:
    """Do so, with errors as they are."""
    photos = photos_of(args.images)
    named = named_model(args)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    model = named.module.to(device, memory_format=torch.channels_last)
    print(f'{named.name}: weights of {named.weights}; {len(photos)} photos')
    fit = fit_learn(
        model,
        photos,
        args.layer,
        transform=named.transform,
        epochs=args.epochs,
        views=args.views,
        variants=args.variants,
        kinds=args.kinds,
        texture_bank=args.texture_bank,
        object_bank=args.object_bank,
        validation=args.validation,
        left_alone=args.left_alone,
        max_clean_cost=args.max_clean_cost,
        batch_size=args.batch_size,
        lr=args.lr,
        memory_gib=args.memory_gib,
        seed=args.seed,
    )
    if not fit.epoch:
        return 1
    path = fit.handle.save(args.out)
    print(f'wrote {path} ({path.stat().st_size / 2**20:.2f} MiB)')
    return 0


if __name__ == '__main__':
    sys.exit(main())
