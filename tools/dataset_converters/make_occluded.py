"""Make an occluded set out of annotated images.

    make_occluded.py voc ROOT SPLIT --out OUT
    make_occluded.py coco ANN_FILE IMAGES --out OUT
    make_occluded.py pascal3d ROOT --out OUT      # gives VOC's layout
    make_occluded.py imagefolder ROOT --out OUT   # a folder for each class

Every object is hidden to the share of the level: of its mask if it has one,
else of its box; of images in folders of classes, a share of the whole image
is hidden. --out then holds:

    L0/, white_L1/, ..., object_L3/   one folder per kind and level
      JPEGImages/ or images/          images, PNG unless --format jpg; with
                                      imagefolder, images/CLASS
      OcclusionMasks/                 8-bit grey PNG: 1 = hidden, 0 = visible
      Annotations/, ImageSets/, ...   of VOC, or annotations/NAME.json of COCO,
                                      or classes.txt and labels.csv
    images.csv      occluders (bank files), seed, source and its SHA-256
    objects.csv     hidden share of each object, and whether it is in the level
    manifest.json   settings, counts, objects out of the level, images left out
    SHA256SUMS      check with: sha256sum -c SHA256SUMS
    settings.json, records/           with which an interrupted run goes on

The same command again makes only what is missing. The same seed gives the same
bytes, whatever the number of --workers. See docs/make_occluded.md.
"""

import argparse
import sys
from functools import partial

from rich.progress import track

from mmocc.occluded_sets.image_folder import ImageFolderSource
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.sources import Source
from mmocc.occluded_sets.voc import VOCSource
from mmocc.occluded_sets.writer import write_occluded
from mmocc.occlusion import KINDS, LEVELS
from mmocc.utils.data_tool import run_tool, settings_of
from mmocc.utils.files import expand

DEFAULTS = OccludedSettings()


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    layouts = parser.add_subparsers(dest='layout', required=True)
    common = _common_arguments()

    def layout(name: str, help_text: str) -> argparse.ArgumentParser:
        return layouts.add_parser(name, parents=[common], help=help_text)

    voc = layout('voc', 'the Pascal VOC layout')
    voc.add_argument('root', type=expand, help='holds Annotations and so on')
    voc.add_argument('split', help='a list in ImageSets/Main, such as test')
    coco = layout('coco', 'a COCO json with boxes, polygons or RLE')
    coco.add_argument('ann_file', type=expand)
    coco.add_argument('images', type=expand, help='folder of its file names')
    pascal = layout('pascal3d', 'OccludedPASCAL3D+; gives the VOC layout')
    pascal.add_argument('root', type=expand, help='holds images and lists')
    pascal.add_argument('--level', default='L0', help='which one to occlude')
    pascal.add_argument('--categories', nargs='+', metavar='NAME')
    pascal.add_argument(
        '--lost-edge',
        choices=['error', 'drop', 'image'],
        default='error',
        help='what to do with boxes that lost an edge in the set',
    )
    folder = layout('imagefolder', 'a folder of images for each class')
    folder.add_argument('root', type=expand, help='holds the folders')
    folder.add_argument(
        '--classes', nargs='+', metavar='NAME', help='take only these folders'
    )
    return parser.parse_args()


def _common_arguments() -> argparse.ArgumentParser:
    """Return the arguments that all layouts have."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add('--out', type=expand, required=True, help='folder to make')
    add('--kinds', nargs='+', choices=KINDS, default=DEFAULTS.kinds)
    add('--levels', nargs='+', choices=LEVELS, default=DEFAULTS.levels)
    add('--seed', type=int, default=DEFAULTS.seed)
    drawn = 'or builtin:test, which mmocc draws'
    add('--texture-bank', metavar='DIR', help=f'images, {drawn}')
    add('--object-bank', metavar='DIR', help=f'RGBA cut-outs, {drawn}')
    add('--texture-size', type=int, default=DEFAULTS.texture_size)
    add(
        '--format',
        choices=['png', 'jpg'],
        default=DEFAULTS.format,
        help='png is lossless; jpg encodes L0 alike, so that compression '
        'does not tell the levels apart',
    )
    add('--quality', type=int, default=DEFAULTS.quality, help='of jpg files')
    add('--workers', type=int, default=1, help='number of processes')
    add('--limit', type=int, help='use only the first N images')
    add(
        '--skip-corrupt',
        action='store_true',
        help='leave damaged images out, and list them in the manifest',
    )
    return parser


def make_source(args: argparse.Namespace) -> Source:
    """Return the set that the command line names."""
    if args.layout == 'voc':
        return VOCSource(args.root, args.split)
    if args.layout == 'imagefolder':
        classes = tuple(args.classes) if args.classes else None
        return ImageFolderSource(args.root, classes)
    # The others need mmpretrain or pycocotools, which not everybody has.
    if args.layout == 'pascal3d':
        from mmocc.occluded_sets.pascal3d import PASCAL3DSource

        names = tuple(args.categories) if args.categories else None
        return PASCAL3DSource(args.root, args.level, names, args.lost_edge)
    from mmocc.occluded_sets.coco import COCOSource

    return COCOSource(args.ann_file, args.images)


def summarise(manifest: dict) -> str:
    """Return the counts of a manifest as a table."""
    columns = ('images', 'objects', 'inside', 'below', 'too_small', 'ignored')
    lines = [f'{"":12}' + ''.join(f'{name:>10}' for name in columns)]
    for name, counts in manifest['cells'].items():
        numbers = ''.join(f'{counts.get(key, 0):10}' for key in columns)
        lines.append(f'{name:12}{numbers}')
    if manifest['out_of_level']:
        lines.append(
            f'{len(manifest["out_of_level"])} times an object is out of its '
            'level (below: neighbours cover its visible pixels; too_small: '
            'too few pixels). manifest.json lists them.'
        )
    if manifest['images_without_objects']:
        lines.append(
            f'{len(manifest["images_without_objects"])} images have no object '
            'and are not occluded'
        )
    if manifest['objects_with_empty_mask']:
        lines.append(
            f'{manifest["objects_with_empty_mask"]} objects have a mask '
            'without a pixel: their boxes are occluded'
        )
    if manifest['left_out']:
        lines.append(f'{len(manifest["left_out"])} images are left out:')
        lines += [f'  {error}' for error in manifest['left_out'].values()]
    return '\n'.join(lines)


def main() -> None:
    """Make the set."""
    args = parse_args()
    manifest = write_occluded(
        make_source(args),
        settings_of(args, DEFAULTS),
        args.out,
        args.workers,
        args.skip_corrupt,
        partial(track, description='Occluding images'),
    )
    print(f'\nWrote {args.out}\n{summarise(manifest)}')


if __name__ == '__main__':
    sys.exit(run_tool('make_occluded', main))
