r"""Where does a classifier see a class? Maps by CAM, Grad-CAM and others.

Example: python tools/visualization/vis_cam.py \
    photo.jpg CONFIG CHECKPOINT --method cam gradcam layercam \
    --target-category cat dog --boxes --save-path cams.png

For every classifier of mmpretrain or of mmocc, convolutional or on tokens
(ViT, Swin). It does what mmpretrain's tool of this name does, and works with
grad-cam >= 1.5; takes several images, folders, or indices of the config's test
set, several methods and several categories; finds the class tokens; draws
boxes; and stores the maps. An image is shown as the network gets it, and a
map's cells at the centres of their receptive fields (--align grid: evenly).
A method that fails leaves a panel that says so, and the exit status is 1.
Without --save-path, --out-dir or --maps-dir the sheet is shown in a window.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import DictAction
from torch import Tensor, nn

from mmocc.apis import samples
from mmocc.evaluation.stored_maps import MapFolder
from mmocc.utils import cli
from mmocc.utils.cell_grid import ALIGNMENTS, CellGrid
from mmocc.visualization import localization_pictures as pictures
from mmocc.visualization import sheet
from mmocc.visualization.class_activation import (
    CAM,
    activation_cells,
    check_method,
    class_activation,
    method_title,
)
from mmocc.visualization.sheet import Panel
from mmocc.visualization.target_layers import default_layer, extra_tokens


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('img', nargs='+', help='files, folders, or indices of the test set')
    add('config', help='config file')
    add('checkpoint', help='checkpoint file')
    add(
        '--method',
        nargs='+',
        default=['gradcam'],
        help='cam, gradcam, gradcam++, layercam, scorecam, xgradcam, eigencam,'
        '\nand the other classes of grad-cam, in any spelling',
    )
    add('--target-layers', nargs='+', default=[], help='names of layers')
    add('--preview-model', action='store_true', help='print the layers')
    add('--target-category', nargs='+', help='classes (default: predicted)')
    add('--eigen-smooth', action='store_true', help='first component only')
    add('--aug-smooth', action='store_true', help='test-time augmentation')
    add('--boxes', action='store_true', help='draw the boxes of the maps')
    add('--threshold', type=float, default=pictures.PAPERS.threshold)
    text = 'where cells lie (default: %(default)s)'
    add('--align', choices=ALIGNMENTS, default='receptive_field', help=text)
    add('--save-path', type=Path, help='file of the sheet')
    add('--out-dir', type=Path, help='folder of a picture for each map')
    add(
        '--maps-dir',
        type=Path,
        help='folder of the maps: NAME.npy (for mmocc.WSOLDataset\n'
        'IMAGE_ID.npy, as eval_localization.py --maps reads them), with\n'
        'method and category in the name if there are several',
    )
    add('--device', default='cpu', help='such as cuda:0')
    add('--vit-like', action='store_true', help='accepted, not needed')
    add('--num-extra-tokens', type=int, help="default: the backbone's own")
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    args = parser.parse_args()
    args.method = list(dict.fromkeys(map(check_method, args.method)))
    return args


def title_of(category: int, scores: Tensor, classes: list[str] | None) -> str:
    """Return a class with its score."""
    name = pictures.class_name(category, classes)
    return f'{name} {100 * float(scores[category]):.0f} %'


def draw_image(
    model: nn.Module,
    packed: dict,
    name: str,
    categories: Sequence[int | None],
    classes: list[str] | None,
    args: argparse.Namespace,
) -> list[Panel]:
    """Return an image and its maps as a row; write what the flags want."""
    image = pictures.shown_image(packed['inputs'])
    inputs = samples.network_inputs(model, [packed])
    with torch.no_grad():
        scores = model(inputs)[0].float().softmax(dim=0).cpu()
    best = title_of(int(scores.argmax()), scores, classes)
    row = [Panel(image, name, f'predicted: {best}')]
    many = len(args.method) * len(categories) > 1
    for method, category in itertools.product(args.method, categories):
        wanted = int(scores.argmax()) if category is None else category
        title = title_of(wanted, scores, classes)
        try:
            cam, cells = find_map(model, inputs, wanted, method, args)
        except (ImportError, RuntimeError, ValueError) as error:
            args.failed += 1
            print(f'{name}, {method}: {first_line(error)}', file=sys.stderr)
            text = f'failed: {first_line(error)}'
            row.append(Panel(image, method, text, colour=pictures.BAD))
            continue
        panel = Panel(
            pictures.overlay_map(image, cam, cells=cells),
            method_title(method),
            title,
            {'box of the map': boxes_of(cam, image, cells, args)},
        )
        row.append(panel)
        file = f'{name}_{method}_{wanted}' if many else name
        if args.out_dir:
            picture = sheet.draw_sheet([[row[0], panel]], width=3)
            sheet.write_image(picture, args.out_dir / f'{file}.png')
        if args.maps_dir:
            image_id = packed['data_samples'].get('image_id', name)
            args.maps_dir.add(file if many else image_id, cam, cells)
    return row


def first_line(error: Exception) -> str:
    """Return the first line of an error, or its kind."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def find_map(
    model: nn.Module,
    inputs: Tensor,
    category: int,
    method: str,
    args: argparse.Namespace,
) -> tuple[np.ndarray, CellGrid | None]:
    """Return a map and where its cells lie; None for evenly."""
    tokens = args.num_extra_tokens
    cam = class_activation(
        model,
        inputs,
        category,
        method,
        args.target_layers,
        tokens,
        args.aug_smooth,
        args.eigen_smooth,
    )[0]
    if args.align == 'grid':
        return cam, None
    size = tuple(inputs.shape[-2:])
    return cam, activation_cells(
        model, size, method, args.target_layers, tokens
    )


def boxes_of(
    cam: np.ndarray,
    image: np.ndarray,
    cells: CellGrid | None,
    args: argparse.Namespace,
) -> np.ndarray:
    """Return the box of a map, if boxes are wanted."""
    if not args.boxes:
        return np.zeros((0, 4))
    rule = pictures.BoxRule(args.threshold)
    return pictures.find_boxes(cam, image.shape[:2], rule, cells)


def unique_names(packs: Sequence[dict]) -> list[str]:
    """Return a name for each image, numbered where a name comes twice."""
    names = [samples.sample_name(p, n) for n, p in enumerate(packs)]
    return [
        f'{name}-{number}' if names.count(name) > 1 else name
        for number, name in enumerate(names)
    ]


@cli.one_line_errors()
def main() -> None:
    """Draw the maps of all images."""
    args = parse_args()
    cfg, model = samples.open_model(args, 'IMG CONFIG CHECKPOINT')
    if args.preview_model:
        for name, module in model.named_modules():
            print(f'{name:50s} {type(module).__name__}')
        return
    classes = samples.class_names(cfg, args.checkpoint)
    categories = samples.find_categories(args.target_category, classes)
    packs = list(samples.Images(cfg, args.img))
    layers = ', '.join(args.target_layers)
    if not layers and set(args.method) != {CAM}:
        tokens = args.num_extra_tokens
        layers, _ = default_layer(
            model,
            samples.network_inputs(model, packs[:1]),
            extra_tokens(model) if tokens is None else tokens,
        )
        print(f'target layer: {layers} (others: --target-layers NAME ...)')
    args.failed, number = 0, 0
    if args.maps_dir:
        args.maps_dir = MapFolder(args.maps_dir)
    rows = []
    for packed, name in zip(packs, unique_names(packs), strict=True):
        row = draw_image(model, packed, name, categories, classes, args)
        number += len(row) - 1
        if args.save_path or not (args.out_dir or args.maps_dir):
            rows.append(row)
    if args.maps_dir:
        args.maps_dir.write_manifest()
    if rows:
        show(rows, layers, args)
    if args.failed:
        sys.exit(f'{args.failed} of {number} maps failed, see above')


def show(
    rows: list[list[Panel]], layers: str, args: argparse.Namespace
) -> None:
    """Write the sheet, or show it in a window."""
    heading = f'layer: {layers}' if layers else ''
    if args.boxes:
        heading += f'\nbox: {pictures.BoxRule(args.threshold)}'
    drawing = sheet.draw_sheet(rows, heading)
    if args.save_path:
        sheet.write_image(drawing, args.save_path)
        print(f'wrote {args.save_path}')
        return
    try:
        sheet.show_image(drawing, 'class maps')
    except RuntimeError as error:
        sys.exit(f'{error} (--save-path)')


if __name__ == '__main__':
    main()
