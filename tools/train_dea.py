r"""From a folder of parts to a table: DEA and its baselines, in one command.

Example: mmocc train dea --data FOLDER

FOLDER is laid out as MVTec AD, MVTec LOCO AD, BTAD or VisA, is one category of
these, the magnetic tiles, or has photos of good parts in good/, of defective
ones in bad/ (or bad/KIND/), and masks, if any, in masks/. Mean image, PCA,
PaDiM and PatchCore are trained and tested beside DEA, each category by itself.
A fifth of the good images for training is held back: they give the threshold.
What is done already in OUT is not done again.
"""

import argparse
from pathlib import Path

from mmocc.apis.part_study import METHODS, study
from mmocc.apis.part_tables import write_tables
from mmocc.datasets.anomaly.find_layout import find_layout
from mmocc.utils import cli

BOXES = ('image', 'foreground')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('--data', required=True, help='folder of the images')
    add('--category', nargs='+', help='some categories (default: all)')
    add('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    add(
        '--boxes',
        choices=BOXES,
        default='image',
        help="DEA's objects: the image, or the parts before a plain ground",
    )
    add(
        '--false-alarms',
        type=float,
        default=0.05,
        help='share of the held-back good images above the threshold',
    )
    add('--epochs', type=int, help="of DEA (default: its config's 20)")
    add('--seeds', nargs='+', type=int, default=[0])
    add('--out', type=Path, default=Path('work_dirs/parts'))
    return parser.parse_args()


@cli.one_line_errors()
def main() -> None:
    """Train and test all, and write the tables."""
    args = parse_args()
    folder = find_layout(args.data)
    print(
        f'{folder.root}: layout {folder.layout}, '
        f'{len(folder.categories)} categories'
    )
    results = []
    for result in study(
        folder,
        args.out,
        args.methods,
        args.category,
        args.seeds,
        boxes=args.boxes,
        false_alarms=args.false_alarms,
        epochs=args.epochs,
    ):
        asked = result['asked']
        name = METHODS[asked['method']]
        print(f'{asked["category"]}: {name}, seed {asked["seed"]} is done')
        results.append(result)
    notes = (
        f'In percent, except the last three columns. False alarms: share of '
        f'good test images above the threshold that {args.false_alarms:.0%} '
        'of the held-back good images exceed; found: share of the defective '
        'ones above it.'
    )
    print(write_tables(results, args.out, notes))
    print(
        f'wrote {args.out / "table.md"}, table.csv, kinds.csv; configs and '
        f'checkpoints are in {args.out}/CATEGORY/METHOD-SEED: mmocc predict '
        'dea CONFIG CHECKPOINT PHOTOS'
    )


if __name__ == '__main__':
    main()
