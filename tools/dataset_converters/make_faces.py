"""Draw cartoon faces with seven expressions, and things to hide them with.

Takes about a minute, needs no download and gives the same bytes for the same
seed:

    python tools/dataset_converters/make_faces.py --out data/faces

    train/ val/ test/           pictures, and labels.csv with expression,
                                subject and five landmarks
    occluders/{train,test}/     cut-outs with transparency, by kind; no kind
                                is in both

A folder that already holds what is asked for is left as it is. docs/faces.md
tells more.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from mmocc.synthetic.cartoon_faces import (
    SPLITS,
    FaceSettings,
    is_current,
    write_faces,
)

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
        type=Path,
        default=Path('data/faces'),
        help='folder to make (default: data/faces)',
    )
    for name, told in NUMBERS.items():
        flag = f'--{name.replace("_", "-")}'
        default = getattr(DEFAULTS, name)
        add(flag, type=int, help=f'{told} (default: {default})')
    add('--force', action='store_true', help='replace whatever is at --out')
    return parser.parse_args()


def read_settings(args: argparse.Namespace) -> FaceSettings:
    """Return the settings that the flags ask for.

    Raises:
        ValueError: If a flag has a value that it cannot have.
    """
    given = {name: getattr(args, name) for name in NUMBERS}
    return replace(
        DEFAULTS, **{k: v for k, v in given.items() if v is not None}
    )


def show(jobs: Iterable, total: int) -> Iterator:
    """Show how many pictures are drawn."""
    return track(jobs, 'Drawing faces', total=total)


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


def main() -> int:
    """Make the data set; return the exit status."""
    args = parse_args()
    try:
        settings = read_settings(args)
        if is_current(args.out, settings) and not args.force:
            print(f"{args.out} already holds these settings' data")
            return 0
        manifest = write_faces(args.out, settings, show, args.force)
    except (ValueError, OSError) as error:
        print(f'make_faces: {error}', file=sys.stderr)
        return 1
    print(f'\nWrote {args.out}\n{summarise(manifest)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
