"""Make a small data set in the Pascal VOC layout from handwritten digits.

Takes seconds, needs no download and gives the same bytes for the same seed:

    python tools/dataset_converters/make_digits_voc.py --out data/digits_voc

A folder that already holds what is asked for is left as it is.
"""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from mmocc.datasets.digits_plan import SPLITS, DigitsSettings
from mmocc.datasets.digits_voc import is_current, write_digits_voc

DEFAULTS = DigitsSettings()
FLAGS = ('occluded', 'truncated', 'difficult')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--out', type=Path, default=Path('data/digits_voc'))
    add('--seed', type=int, default=DEFAULTS.seed)
    add('--size', type=int, default=DEFAULTS.size, help='side of a scene, px')
    add('--digits', type=int, default=DEFAULTS.digits, help='per scene')
    add(
        '--digit-size',
        type=int,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        default=DEFAULTS.digit_size,
        help='least and greatest height of a digit, px',
    )
    add(
        '--repeat',
        type=int,
        default=DEFAULTS.repeat,
        help='uses of each source digit in the train split',
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


def main() -> int:
    """Make the data set; return the exit status."""
    args = parse_args()
    try:
        settings = DigitsSettings(
            seed=args.seed,
            size=args.size,
            digits=args.digits,
            digit_size=tuple(args.digit_size),
            repeat=args.repeat,
            limit=args.limit,
        )
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
