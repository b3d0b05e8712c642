"""Make pages of ornaments, on whose test pages some are not in the dictionary.

    make_ornament_pages.py --out data/ornament_pages
    make_ornament_pages.py --reduced --out data/ornament_pages_reduced

The first follows the DEA paper: 640x640 binarised pages, 200 classes, 1,000
pages each for training, validation and test, a Poisson number of objects with
mean 11, on test pages 2 of them from outside the dictionary. The second halves
all lengths and has 40 classes, for a CPU. Ornaments are glyphs of the fonts
that matplotlib carries. What is at --out:

    JPEGImages/            the pages, PNG
    annotations/           COCO json: train, val, test
    Annotations/, ImageSets/Main/   the same as Pascal VOC has it
    glyphs/                the classes and the outside glyphs
    manifest.json          settings, classes, counts, versions
    SHA256SUMS             check with: sha256sum -c SHA256SUMS
    settings.json, records/         by which an interrupted run goes on

The same command again makes what is missing, and only that. For the same seed
the bytes are the same, whatever the number of --workers. docs/dea_data.md
tells more.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from rich.progress import track

from mmocc.synthetic.ornaments import (
    PAPER,
    REDUCED,
    SPLITS,
    OrnamentSettings,
    write_ornaments,
)

# Flags that take one number, and what it is.
NUMBERS = dict(
    seed=(int, 'base seed'),
    page=(int, 'side of a page, px'),
    classes=(int, 'glyph classes in the dictionary'),
    outside_classes=(int, 'glyphs outside of it'),
    train=(int, 'training pages'),
    val=(int, 'validation pages'),
    test=(int, 'test pages'),
    objects=(float, 'mean number of objects of a page'),
    outside=(float, 'how many of them are outside ones, on a test page'),
    overlap=(float, "share of an object's box that may lie on others, 0 to 1"),
    gap=(int, 'least distance between boxes that do not overlap, px'),
    noise=(float, 'strength of scanning noise, 0 to 1'),
    grey_levels=(int, '2 for binarised pages, up to 256'),
    similarity=(float, 'greatest correlation of two glyphs that differ'),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--out', type=Path, required=True, help='folder to make')
    add('--reduced', action='store_true', help='defaults for a CPU')
    for name, (kind, told) in NUMBERS.items():
        flag = f'--{name.replace("_", "-")}'
        told = f'{told} (default: {getattr(PAPER, name)}'
        if getattr(PAPER, name) != getattr(REDUCED, name):
            told += f', reduced {getattr(REDUCED, name)}'
        add(flag, type=kind, help=f'{told})')
    add(
        '--glyph-size',
        type=int,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        help="least and greatest longer side of a class's glyph, px (default: "
        f'{PAPER.glyph_size}, reduced {REDUCED.glyph_size})',
    )
    add(
        '--fonts',
        nargs='+',
        metavar='FONT',
        help="font files of matplotlib's, by name, or paths of others, of "
        f'which all glyphs serve (default: {" ".join(PAPER.fonts)})',
    )
    add('--workers', type=int, default=1, help='number of processes')
    return parser.parse_args()


def read_settings(args: argparse.Namespace) -> OrnamentSettings:
    """Return the settings that the flags ask for.

    Raises:
        ValueError: If a flag has a value that it cannot have.
    """
    names = (*NUMBERS, 'glyph_size', 'fonts')
    given = {name: getattr(args, name) for name in names}
    given = {k: v for k, v in given.items() if v is not None}
    given = {k: tuple(v) if type(v) is list else v for k, v in given.items()}
    return replace(REDUCED if args.reduced else PAPER, **given)


def show(pages: Iterable, total: int) -> Iterator:
    """Show how many pages are done."""
    return track(pages, 'Printing pages', total=total)


def summarise(manifest: dict) -> str:
    """Return the counts of a manifest as a table."""
    keys = ('pages', 'objects', 'outside', 'left_out')
    rows = [('', *keys)]
    for split in SPLITS:
        rows.append((split, *(manifest['counts'][split][k] for k in keys)))
    return '\n'.join(''.join(f'{x:>9}' for x in row) for row in rows)


def main() -> int:
    """Make the pages; return the exit status."""
    args = parse_args()
    try:
        settings = read_settings(args)
        manifest = write_ornaments(settings, args.out, args.workers, show)
    except (ValueError, OSError) as error:
        print(f'make_ornament_pages: {error}', file=sys.stderr)
        return 1
    except BrokenProcessPool:
        print(
            'make_ornament_pages: a process died, perhaps for lack of memory; '
            'start again with fewer --workers: what is done is kept',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print('\nStopped; the same command goes on.', file=sys.stderr)
        return 130
    print(f'\nWrote {args.out}\n{summarise(manifest)}')
    left_out = sum(n['left_out'] for n in manifest['counts'].values())
    if left_out:
        print(
            f'{left_out} objects are left out, for want of room on their '
            'pages; use a smaller --glyph-size or fewer --objects'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
