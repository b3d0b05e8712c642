"""Make a small data set in the Pascal VOC layout from handwritten digits.

Takes seconds, needs no download and gives the same bytes for the same seed:

    python tools/dataset_converters/make_digits_voc.py --out data/digits_voc
    python tools/dataset_converters/make_digits_voc.py --single

The second makes data/digits_single, for localization: one digit in each image,
among pieces of photograph. A folder that already holds the data does not
change.
"""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from mmocc.synthetic.digits.scene import SINGLE, DigitsSettings
from mmocc.synthetic.digits.writer import SPLITS, is_current, write_digits_voc
from mmocc.utils.data_tool import add_numbers, run_tool, settings_of
from mmocc.utils.files import expand

DEFAULTS = DigitsSettings()
NUMBERS = dict(
    seed='seed of everything random',
    size='side of a scene, px',
    digits='digits per scene',
    repeat='uses of each source digit in the train split',
    clutter='pieces of photograph on each canvas',
)
FLAGS = ('occluded', 'truncated', 'difficult')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--out', type=expand, help='default: data/digits_voc, or _single')
    add(
        '--single',
        action='store_true',
        help='one digit in each image, among clutter, for localization: '
        'changes the defaults',
    )
    add_numbers(parser, DEFAULTS, NUMBERS, single=SINGLE)
    add(
        '--digit-size',
        type=int,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        help='least and greatest height of a digit, px',
    )
    add('--limit', type=int, help='use only the first N source digits')
    add('--force', action='store_true', help='replace whatever is at --out')
    return parser.parse_args()


def summarise(manifest: dict) -> str:
    """Return the counts of a manifest as a table."""
    flags = ''.join(f'{flag:>12}' for flag in FLAGS)
    lines = [f'{"":6}{"images":>8}{"objects":>9}  {flags}']
    for split in SPLITS:
        counts = manifest['counts'][split]
        objects = max(counts['objects'], 1)
        shares = ''.join(f'{counts[f] / objects:12.1%}' for f in FLAGS)
        lines.append(
            f'{split:6}{counts["images"]:8}{counts["objects"]:9}  {shares}'
        )
    return '\n'.join(lines)


def main() -> None:
    """Make the data set."""
    args = parse_args()
    name = 'digits_single' if args.single else 'digits_voc'
    out = args.out or Path('data', name)
    settings = settings_of(args, SINGLE if args.single else DEFAULTS)
    if is_current(out, settings) and not args.force:
        print(f"{out} already holds these settings' data")
        return
    manifest = write_digits_voc(out, settings, track, args.force)
    print(f'\nWrote {out}\n{summarise(manifest)}')


if __name__ == '__main__':
    sys.exit(run_tool('make_digits_voc', main))
