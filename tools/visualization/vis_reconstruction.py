r"""Draw pages, pages that DEA redrew, and anomaly maps, side by side.

Example: python tools/visualization/vis_reconstruction.py \
    configs/dea/dea_conv_ornament-reduced.py epoch_30.pth --number 6 \
    --min-confidence 0.01 --out work_dirs/redrawn

A row for each page of the test set, evenly spread or as --select names them,
or of --images. Objects that the model finds anomalous have red boxes, true
anomalies dashed ones. OUT gets reconstruction.png and a picture of each row.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmocc.apis import samples
from mmocc.apis.photos import asked
from mmocc.utils import cli
from mmocc.visualization.localization_pictures import original_image
from mmocc.visualization.redrawing_pictures import Rule, reconstruction_row
from mmocc.visualization.sheet import draw_sheet, write_image


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config file of a mmocc.DEA')
    add('checkpoint', help='checkpoint file')
    add(
        '--number',
        '-n',
        type=int,
        help='number of pages, evenly spread (default: 6 of the test set,\n'
        'all of --images)',
    )
    add('--select', nargs='+', help='pages: indices, or parts of paths')
    add('--images', nargs='+', help='image files or folders, no test set')
    add(
        '--min-confidence',
        type=float,
        default=0.02,
        help="detections below are not drawn: the paper's P",
    )
    add(
        '--threshold',
        type=float,
        help="score above which an object is anomalous (default: the model's\n"
        'own threshold)',
    )
    add('--background', type=float, default=1.0, help='paper, 0 to 1')
    add(
        '--most',
        type=float,
        help='error that is drawn in the darkest red, on all pages (default:\n'
        '1, or twice the threshold of a baseline)',
    )
    add('--device', default='cpu', help='such as cuda:0')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    add('--out', type=Path, default=Path('work_dirs/reconstruction'))
    args = parser.parse_args()
    if args.number is not None and args.number < 1:
        parser.error('--number: 1 or more')
    if args.most is not None and args.most <= 0:
        parser.error('--most: above 0')
    return args


@cli.one_line_errors()
def main() -> None:
    """Draw the sheet and its rows."""
    args = parse_args()
    cfg, model = samples.open_model(args)
    rule = Rule(
        args.min_confidence, args.threshold, args.background, args.most
    )
    rows = []
    for number, packed in enumerate(asked(cfg, args, 6)):
        name = samples.sample_name(packed, number)
        sample = samples.predict(model, packed)
        image = original_image(sample, packed['inputs'])
        row = reconstruction_row(image, name, sample, rule)
        print(f'{name}: {row[0].caption}')
        path = args.out / f'{number:04d}_{name}.png'
        write_image(draw_sheet([row], str(rule), width=4), path)
        rows.append(row)
    path = args.out / 'reconstruction.png'
    write_image(draw_sheet(rows, str(rule), width=3.2), path)
    print(f'wrote {path} and {len(rows)} pictures')


if __name__ == '__main__':
    main()
