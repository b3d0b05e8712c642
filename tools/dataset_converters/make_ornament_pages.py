"""Make pages of ornaments; test pages hold some outside the dictionary.

    make_ornament_pages.py --out data/ornament_pages
    make_ornament_pages.py --reduced --out data/ornament_pages_reduced

The first follows the DEA paper: 640x640 binarised pages, 200 classes, 1,000
pages each for training, validation and test, a Poisson number of objects with
mean 11, on test pages 2 of them from outside the dictionary. The second halves
all lengths and has 40 classes, for a CPU. Ornaments are glyphs of the fonts
that matplotlib carries. --out then holds:

    JPEGImages/            the pages, PNG
    annotations/           COCO json: train, val, test
    Annotations/, ImageSets/Main/   the same in the Pascal VOC layout
    glyphs/                the classes and the outside glyphs
    manifest.json          settings, classes, counts, versions
    SHA256SUMS             check with: sha256sum -c SHA256SUMS
    settings.json, records/         with which an interrupted run goes on

The same command again makes only what is missing. The same seed gives the same
bytes, whatever the number of --workers. See docs/dea_data.md.
"""

import argparse
import sys
from functools import partial

from rich.progress import track

from mmocc.synthetic.ornaments import (
    PAPER,
    REDUCED,
    SPLITS,
    write_ornaments,
)
from mmocc.utils.data_tool import add_numbers, run_tool, settings_of
from mmocc.utils.files import expand

NUMBERS = dict(
    seed='base seed',
    page='side of a page, px',
    classes='glyph classes in the dictionary',
    outside_classes='glyphs outside of it',
    train='training pages',
    val='validation pages',
    test='test pages',
    objects='mean number of objects of a page',
    outside='mean number of them from outside the dictionary, on a test page',
    overlap="share of an object's box that may lie on others, 0 to 1",
    gap='least distance between boxes that do not overlap, px',
    noise='strength of scanning noise, 0 to 1',
    grey_levels='2 for binarised pages, up to 256',
    similarity='greatest correlation of two different glyphs',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--out', type=expand, required=True, help='folder to make')
    add('--reduced', action='store_true', help='defaults for a CPU')
    add_numbers(parser, PAPER, NUMBERS, reduced=REDUCED)
    add(
        '--glyph-size',
        type=int,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        help="least and greatest longer side of a class's glyph, px (default: "
        f'{PAPER.glyph_size}, with --reduced {REDUCED.glyph_size})',
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


def summarise(manifest: dict) -> str:
    """Return the counts of a manifest as a table."""
    keys = ('pages', 'objects', 'outside', 'left_out')
    rows = [('', *keys)]
    for split in SPLITS:
        rows.append((split, *(manifest['counts'][split][k] for k in keys)))
    return '\n'.join(''.join(f'{x:>9}' for x in row) for row in rows)


def main() -> None:
    """Make the pages."""
    args = parse_args()
    settings = settings_of(args, REDUCED if args.reduced else PAPER)
    show = partial(track, description='Printing pages')
    manifest = write_ornaments(settings, args.out, args.workers, show)
    print(f'\nWrote {args.out}\n{summarise(manifest)}')
    left_out = sum(n['left_out'] for n in manifest['counts'].values())
    if left_out:
        print(
            f'{left_out} objects are left out because their pages have no '
            'room; use a smaller --glyph-size or fewer --objects'
        )


if __name__ == '__main__':
    sys.exit(run_tool('make_ornament_pages', main))
