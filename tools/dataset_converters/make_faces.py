"""Draw cartoon faces with seven expressions, and occluders for them.

Takes about a minute, needs no download and gives the same bytes for the same
seed:

    python tools/dataset_converters/make_faces.py --out data/faces

    train/ val/ test/           pictures, and labels.csv with expression,
                                subject and five landmarks
    occluders/{train,test}/     cut-outs with transparency, by kind; no kind
                                is in both

A folder that already holds the data does not change. See docs/faces.md.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from rich.progress import track

from mmocc.synthetic.cartoon_faces import (
    SPLITS,
    FaceSettings,
    is_current,
    write_faces,
)
from mmocc.utils.data_tool import add_numbers, run_tool, settings_of
from mmocc.utils.files import expand

DEFAULTS = FaceSettings()
NUMBERS = dict(
    seed='base seed',
    size='side of a picture, px',
    train='training pictures',
    val='validation pictures',
    test='test pictures',
    per_subject='pictures of one person',
    occluders='cut-outs of each kind',
    occluder_size='longer side of a cut-out, px',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        '--out',
        type=expand,
        default=Path('data/faces'),
        help='folder to make (default: data/faces)',
    )
    add_numbers(parser, DEFAULTS, NUMBERS)
    add('--force', action='store_true', help='replace whatever is at --out')
    return parser.parse_args()


def summarise(manifest: dict) -> str:
    """Return the counts of a manifest as a table."""
    lines = [f'{"":6}{"pictures":>10}{"subjects":>10}']
    for split in SPLITS:
        counts = manifest['counts'][split]
        lines.append(
            f'{split:6}{counts["pictures"]:10}{counts["subjects"]:10}'
        )
    for use, kinds in manifest['occluders'].items():
        lines.append(f'occluders/{use}: {", ".join(kinds)}')
    return '\n'.join(lines)


def main() -> None:
    """Make the data set."""
    args = parse_args()
    settings = settings_of(args, DEFAULTS)
    if is_current(args.out, settings) and not args.force:
        print(f"{args.out} already holds these settings' data")
        return
    show = partial(track, description='Drawing faces')
    manifest = write_faces(args.out, settings, show, args.force)
    print(f'\nWrote {args.out}\n{summarise(manifest)}')


if __name__ == '__main__':
    sys.exit(run_tool('make_faces', main))
