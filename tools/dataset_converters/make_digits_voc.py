"""Make a small data set in the Pascal VOC layout from handwritten digits.

Takes seconds, needs no download and gives the same bytes for the same seed:

    python tools/dataset_converters/make_digits_voc.py --out data/digits_voc
    python tools/dataset_converters/make_digits_voc.py --single

The second makes data/digits_single, for localization: one digit in each image,
among pieces of photograph.
A folder that already holds what is asked for is left as it is.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from mmocc.synthetic.digits.plan import SINGLE, SPLITS, DigitsSettings
from mmocc.synthetic.digits.writer import is_current, write_digits_voc

DEFAULTS = DigitsSettings()
FLAGS = ('occluded', 'truncated', 'difficult')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--out', type=Path, help='default: data/digits_voc, or _single')
    add(
        '--single',
        action='store_true',
        help='one digit in each image, among clutter, for localization: '
        'changes the defaults of what follows',
    )
    add('--seed', type=int, help=f'default: {DEFAULTS.seed}')
    add('--size', type=int, help='side of a scene, px')
    add('--digits', type=int, help='per scene')
    add(
        '--digit-size',
        type=int,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        help='least and greatest height of a digit, px',
    )
    add(
        '--repeat',
        type=int,
        help='uses of each source digit in the train split',
    )
    add('--clutter', type=int, help='pieces of photograph on each canvas')
    add('--limit', type=int, help='use only the first N source digits')
    add('--force', action='store_true', help='replace whatever is at --out')
    return parser.parse_args()


def read_settings(args: argparse.Namespace) -> DigitsSettings:
    """Return the settings that the flags ask for.

    Raises:
        ValueError: If a flag has a value that it cannot have.
    """
    base = SINGLE if args.single else DEFAULTS
    names = (
        'seed', 'size', 'digits', 'digit_size', 'repeat', 'limit', 'clutter'
    )  # fmt: skip
    given = {name: getattr(args, name) for name in names}
    given = {k: v for k, v in given.items() if v is not None}
    if 'digit_size' in given:
        given['digit_size'] = tuple(given['digit_size'])
    return replace(base, **given)


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


def main() -> int:
    """Make the data set; return the exit status."""
    args = parse_args()
    name = 'digits_single' if args.single else 'digits_voc'
    args.out = args.out or Path('data', name)
    try:
        settings = read_settings(args)
        if is_current(args.out, settings) and not args.force:
            print(f"{args.out} already holds these settings' data")
            return 0
        manifest = write_digits_voc(args.out, settings, track, args.force)
    except (ValueError, OSError) as error:
        print(f'make_digits_voc: {error}', file=sys.stderr)
        return 1
    print(f'\nWrote {args.out}\n{summarise(manifest)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
