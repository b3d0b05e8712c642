r"""What makes a feature fire? The deconvnet of Zeiler and Fergus.

Example: python tools/visualization/vis_deconv.py CONFIG CHECKPOINT \
    --layer backbone.conv5 --number 500 --out work_dirs/deconv

For channels of a layer, the images of the test set or of --images in which
they fire most strongly. Each activation is projected back to the pixels
(unpooled with switches, rectified, filtered with the transposed filters) and
drawn beside the patch of the image that it can see, as in figure 2 of arXiv
1311.2901. Grey is zero. For chains of convolutions, ReLU and max-pooling, such
as AlexNet and VGG. OUT gets deconv_LAYER.png and a picture of each channel.
"""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.utils import track_iter_progress
from torch import Tensor, nn

from mmocc.apis import samples
from mmocc.utils import cli
from mmocc.visualization.deconv import pictures
from mmocc.visualization.deconv.network import (
    project_activations,
    strongest_activations,
)
from mmocc.visualization.localization_pictures import shown_image
from mmocc.visualization.receptive_field import ReceptiveField
from mmocc.visualization.sheet import Panel, draw_sheet, write_image
from mmocc.visualization.target_layers import run_to


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('config', help='config file')
    add('checkpoint', help='checkpoint file')
    add('--layer', help='name of a layer; --preview-model lists them')
    add('--preview-model', action='store_true', help='print the layers')
    add('--images', nargs='+', help='files, folders, or test set indices')
    add('--number', '-n', type=int, default=200, help='images of the test set')
    add('--channels', type=int, nargs='+', help='default: the strongest ones')
    add('--count', type=int, default=6, help='channels, if none are named')
    add('--top', type=int, default=9, help='images for each channel')
    add('--batch-size', type=int, default=32)
    add('--device', default='cpu', help='such as cuda:0')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    add('--out', type=Path, default=Path('work_dirs/deconv'))
    args = parser.parse_args()
    if not args.layer and not args.preview_model:
        parser.error('name a --layer; --preview-model lists them')
    if min(args.top, args.number, args.count, args.batch_size) < 1:
        parser.error('--top, --number, --count and --batch-size: 1 or more')
    return args


def open_images(cfg: Config, args: argparse.Namespace) -> samples.Images:
    """Return --images, or --number images spread over the test set."""
    if not args.images:
        total = len(samples.build_dataset(cfg))
        args.images = [str(i) for i in samples.spread(total, args.number)]
    return samples.Images(cfg, args.images)


def batches(
    model: nn.Module, images: samples.Images, size: int
) -> Iterator[Tensor]:
    """Yield normalised batches of all images."""
    places = range(len(images))
    starts = list(range(0, len(images), size))
    for start in track_iter_progress(starts):
        packed = [images[place] for place in places[start : start + size]]
        yield samples.network_inputs(model, packed)


def choose_channels(values: Tensor, args: argparse.Namespace) -> list[int]:
    """Return --channels, or those that fire most on average.

    Args:
        values: (C, k), the strongest activations of each channel.
        args: The command line.

    Raises:
        ValueError: There is no such channel, or none fires.
    """
    total = len(values)
    for channel in args.channels or ():
        if not 0 <= channel < total:
            raise ValueError(
                f'{args.layer} has no channel {channel}, but 0 to {total - 1}'
            )
    if args.channels:
        return args.channels
    alive = int((values[:, 0] > 0).sum())
    print(f'{total} channels, of which {total - alive} never fire')
    if not alive:
        raise ValueError(f'no channel of {args.layer} fires in these images')
    order = values.mean(dim=1).argsort(descending=True)
    return order[: min(args.count, alive)].tolist()


def draw_channel(
    model: nn.Module,
    images: samples.Images,
    strongest: dict[str, Tensor],
    channel: int,
    args: argparse.Namespace,
    field: ReceptiveField,
) -> list[Panel]:
    """Return the projections and the patches of a channel."""
    # What does not fire projects to nothing.
    fires = max(int((strongest['value'][channel] > 0).sum()), 1)
    value, image, y, x = (
        strongest[key][channel, :fires].tolist()
        for key in ('value', 'image', 'y', 'x')
    )
    units = [(channel, *place) for place in zip(y, x, strict=True)]
    packed = [images[place] for place in image]
    inputs = samples.network_inputs(model, packed)
    projections = project_activations(model, args.layer, inputs, units)
    to_rgb = getattr(model.data_preprocessor, 'to_rgb', True)
    tiles, patches = [], []
    for item, projection, (_, y, x) in zip(
        packed, projections, units, strict=True
    ):
        box = field.box(y, x)
        picture = pictures.as_picture(projection, to_rgb)
        tiles.append(pictures.cut_tile(picture, box))
        patches.append(pictures.cut_tile(shown_image(item['inputs']), box))
    return pictures.channel_panels(channel, value, tiles, patches)


@cli.one_line_errors()
def main() -> None:
    """Draw the channels."""
    args = parse_args()
    cfg, model = samples.open_model(args)
    if args.preview_model:
        for name, module in model.named_modules():
            print(f'{name:50s} {type(module).__name__}')
        return
    images = open_images(cfg, args)
    strongest = strongest_activations(
        model, args.layer, batches(model, images, args.batch_size), args.top
    )
    inputs = samples.network_inputs(model, [images[0]])
    field = ReceptiveField(model, run_to(args.layer), tuple(inputs.shape[-2:]))
    heading = (
        f'{args.layer}: what its channels see, in the '
        f'{strongest["value"].shape[1]} of {len(images)} images where they '
        'fire most'
    )
    pairs = []
    for channel in choose_channels(strongest['value'], args):
        pair = draw_channel(model, images, strongest, channel, args, field)
        path = args.out / f'{args.layer}_channel{channel:04d}.png'
        write_image(draw_sheet([pair], heading, width=3.4), path)
        pairs.append(pair)
    rows = [list(chain(*pairs[i : i + 2])) for i in range(0, len(pairs), 2)]
    path = args.out / f'deconv_{args.layer}.png'
    write_image(draw_sheet(rows, heading, width=2.8), path)
    print(f'wrote {path} and {len(pairs)} pictures of channels')


if __name__ == '__main__':
    main()
