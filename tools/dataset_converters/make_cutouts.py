"""Cut objects out of COCO-annotated photos, to occlude other images with.

    make_cutouts.py ANN_FILE IMAGES --out OUT

OUT/train and OUT/test hold RGBA PNGs, the object_bank of mmocc.Occlude; no
photo gives cut-outs to both, nor do two copies of one photo.
OUT/cutouts.csv names the photo of each. Masks are polygons or run lengths.
"""

import argparse
import sys
from collections import Counter
from functools import partial

from rich.progress import track

from mmocc.occluded_sets.coco_cutouts import CutoutSettings, make_cutouts
from mmocc.utils.data_tool import add_numbers, run_tool, settings_of
from mmocc.utils.files import expand

DEFAULTS = CutoutSettings()
NUMBERS = dict(
    test_share='share of the photos whose cut-outs are for the test',
    seed='decides which photos',
    min_side='least length of the shorter side, px',
    min_fill='least share of its box that an object fills',
    max_per_image='cut-outs of one photo, the largest first',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('ann_file', type=expand, help='COCO json with masks')
    add('images', type=expand, help='folder of its file names')
    add('--out', type=expand, required=True, help='folder to make')
    add_numbers(parser, DEFAULTS, NUMBERS)
    add(
        '--truncated',
        action='store_true',
        help='take objects that touch the border of their photo, too',
    )
    add('--categories', nargs='+', metavar='NAME', help='take only these')
    add('--skip-corrupt', action='store_true', help='leave damaged photos out')
    return parser.parse_args()


def main() -> None:
    """Make the cut-outs."""
    args = parse_args()
    table, refused, failures = make_cutouts(
        args.ann_file,
        args.images,
        args.out,
        settings_of(args, DEFAULTS),
        args.skip_corrupt,
        partial(track, description='Cutting out objects'),
    )
    splits = Counter(row['split'] for row in table)
    print(
        f'\nWrote {args.out}: {splits["train"]} train, {splits["test"]} test'
    )
    counts = ', '.join(f'{v} {k}' for k, v in sorted(refused.items()) if v)
    print(f'Refused: {counts or "none"}')
    for failure in failures:
        print(f'Left out: {failure}')


if __name__ == '__main__':
    sys.exit(run_tool('make_cutouts', main))
