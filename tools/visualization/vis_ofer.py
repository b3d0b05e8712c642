r"""Draw all stages of Latent-OFER for each face, side by side.

Example: python tools/visualization/vis_ofer.py \
    configs/ofer/ofer_resnet18_cartoon.py epoch_20.pth --number 6 \
    --out work_dirs/ofer_pictures

A row for each face: faces of the test set at equal distances, or those of
--select; or image files and folders, with --images. A row is the photo, the
distances of its patches, the occluded ones, the reconstructed face, the
attention, and the probabilities of the expressions. OUT gets faces.png and a
picture of each row.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmocc.apis import samples
from mmocc.apis.photos import asked
from mmocc.utils import cli
from mmocc.visualization.ofer_pictures import ofer_row
from mmocc.visualization.sheet import draw_sheet, write_image


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config file of a mmocc.LatentOFER')
    add('checkpoint', help='checkpoint file')
    few = 'number of faces, evenly spread (default: 6 of the test set,\n'
    add('--number', '-n', type=int, help=few + 'all of --images)')
    add('--select', nargs='+', help='faces: indices, or parts of paths')
    add('--images', nargs='+', help='image files or folders, no test set')
    add('--device', default='cpu', help='such as cuda:0')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    add('--out', type=Path, default=Path('work_dirs/ofer_pictures'))
    args = parser.parse_args()
    if args.number is not None and args.number < 1:
        parser.error('--number: 1 or more')
    return args


@cli.one_line_errors()
def main() -> None:
    """Draw the sheet and its rows."""
    args = parse_args()
    cfg, model = samples.open_model(args)
    classes = samples.class_names(cfg, args.checkpoint)
    rows = []
    for number, packed in enumerate(asked(cfg, args, 6)):
        name = samples.sample_name(packed, number)
        sample = samples.predict(model, packed)
        row = ofer_row(packed['inputs'], name, sample, classes)
        print(f'{name}: {row[-1].caption}')
        path = args.out / f'{number:04d}_{name}.png'
        write_image(draw_sheet([row]), path)
        rows.append(row)
    path = args.out / 'faces.png'
    write_image(draw_sheet(rows), path)
    print(f'wrote {path} and {len(rows)} pictures')


if __name__ == '__main__':
    main()
