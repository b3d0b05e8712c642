r"""What does a pipeline hide? Images before and after, and the hidden share.

Example: python tools/visualization/browse_occlusion.py CONFIG \
    --show-number 6 --draws 4 --output-dir work_dirs/browse

For configs of mmpretrain and mmdet. A row for each image: just before the
hiding transforms of its pipeline, and after them in several draws. Where the
pipeline hides nothing, it is what the data preprocessor or the model hides in
the batch, or a hook in a feature map (grey on the image). Each draw has the
hidden share of the image (by the pipeline's mask if it keeps one, else by
the pixels that changed) and of the object, if that is known. Crops and flips
before the hiding are the same in all draws of an image. Boxes are drawn if the
pipeline has some. At the end, the shares of all draws are summed up.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, DictAction

from mmocc.apis import samples
from mmocc.utils import cli
from mmocc.visualization import sheet
from mmocc.visualization.batch_hiding import BatchHiding
from mmocc.visualization.hiding import (
    HIDING,
    Draw,
    draw_hiding,
    find_hiding,
    unwrap,
)
from mmocc.visualization.sheet import Panel


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config file')
    add('--output-dir', '-o', type=Path, default=Path('work_dirs/browse'))
    add('--phase', '-p', choices=['train', 'val', 'test'], default='train')
    add('--show-number', '-n', type=int, default=8, help='number of images')
    add('--select', nargs='+', help='images: indices, or parts of paths')
    add('--draws', type=int, default=4, help='draws of each image')
    add('--rows', type=int, default=6, help='images on a sheet')
    add('--seed', type=int, default=0)
    names = 'class names of transforms that hide; default:\n'
    names += ', '.join(HIDING)
    add('--transforms', nargs='+', default=HIDING, help=names)
    add('--show', action='store_true', help='open a window for each sheet')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    if min(args.show_number, args.draws, args.rows) < 1:
        parser.error('--show-number, --draws and --rows: 1 or more')
    args.transforms = [name.split('.')[-1] for name in args.transforms]
    return args


def caption(draw: Draw) -> str:
    """Return in words how much is hidden."""
    text = f'{100 * draw.share:.0f} % of the image'
    if draw.object_share is not None:
        text += f'\n{100 * draw.object_share:.0f} % of the object'
    return text


def make_row(draws: list[Draw], index: int) -> list[Panel]:
    """Return the panels of one image."""
    first = draws[0]
    height, width = first.before.shape[:2]
    name = Path(first.path).name if first.path else f'sample {index}'
    boxes = {'object': first.boxes}
    row = [Panel(first.before, name, f'before, {width} x {height}', boxes)]
    for number, draw in enumerate(draws, 1):
        boxes = {'object': draw.boxes}
        row.append(Panel(draw.after, f'draw {number}', caption(draw), boxes))
    return row


def summary(draws: list[Draw]) -> str:
    """Return mean, spread and range of the hidden shares."""
    kinds = dict(
        image=[d.share for d in draws],
        object=[d.object_share for d in draws if d.object_share is not None],
    )
    return '\n'.join(
        f'hidden of the {what}: mean {100 * np.mean(shares):.1f} %, standard '
        f'deviation {100 * np.std(shares):.1f}, from {100 * min(shares):.1f} '
        f'to {100 * max(shares):.1f} %, in {len(shares)} draws'
        for what, shares in kinds.items()
        if shares
    )


def find_draw(
    args: argparse.Namespace, cfg: Config, dataset: Any
) -> tuple[str, Callable[[int, int], Draw]]:
    """Return what hides, and a function of index and number that draws it.

    What the pipeline hides comes first; the batch hides in training only.
    """
    transforms = unwrap(dataset, 0)[0].pipeline.transforms
    try:
        places = find_hiding(transforms, args.transforms)
    except ValueError as error:
        if args.phase != 'train':
            sys.exit(f'{args.config}, {args.phase}: {error}')
        try:
            hiding = BatchHiding(cfg)
        except ValueError as other:
            sys.exit(f'{args.config}, {args.phase}: {error}; {other}')
        return str(hiding), lambda index, number: hiding.draw(
            dataset, index, number, args.seed
        )
    text = ', then '.join(repr(transforms[place]) for place in places)
    return text, lambda index, number: draw_hiding(
        dataset, index, number, args.seed, args.transforms
    )


@cli.one_line_errors()
def main() -> None:
    """Draw the sheets."""
    args = parse_args()
    cfg = cli.read_config(args.config, args.cfg_options)
    dataset = samples.build_dataset(cfg, args.phase)
    indices = samples.spread(len(dataset), args.show_number)
    if args.select:
        indices = samples.choose(dataset, args.select)
    hiding, draw = find_draw(args, cfg, dataset)
    rows, draws = [], []
    for index in indices:
        draws += [draw(index, number) for number in range(args.draws)]
        rows.append(make_row(draws[-args.draws :], index))
    for start in range(0, len(rows), args.rows):
        image = sheet.draw_sheet(rows[start : start + args.rows], hiding)
        path = args.output_dir / f'hiding_{args.phase}_{start:04d}.png'
        sheet.write_image(image, path)
        print(f'wrote {path}')
        if args.show:
            try:
                sheet.show_image(image, path.stem)
            except RuntimeError as error:
                sys.exit(f'{error}, and leave out --show')
    print(summary(draws))


if __name__ == '__main__':
    main()
