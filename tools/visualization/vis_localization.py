r"""Where do models see the object? Image, map, and box beside the true box.

Example: python tools/visualization/vis_localization.py \
    CONFIG_A A.pth CONFIG_B B.pth --names CAM HaS --number 8 \
    --out work_dirs/localization

A row for each image of the first config's test set: the image with its true
boxes, and for each model its map and its box, with class, score and IoU. The
images are spread evenly over the test set, or those of --select. Maps are
those of mmocc.CAMHead, or of a method of grad-cam for any other classifier.
Test pipelines must keep the whole image (resize, no crop), since the map is
drawn over all of it, each cell at the centre of its receptive field. OUT gets
localization.png and a picture of each row.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, DictAction
from torch import nn

from mmocc.apis import samples
from mmocc.evaluation.localization import KEEP, NORMALIZATIONS
from mmocc.report.classifiers import check_same_classes
from mmocc.utils import cli
from mmocc.utils.from_config import load_model
from mmocc.visualization import localization_pictures as pictures
from mmocc.visualization.class_activation import (
    activation_cells,
    check_method,
    class_activation,
    method_title,
)
from mmocc.visualization.sheet import Panel, draw_sheet, write_image

FIELDS = dict(pred='pred_cam', gt='gt_cam')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('models', nargs='+', help='CONFIG CHECKPOINT [CONFIG CHECKPOINT ...]')
    add('--names', nargs='+', help='names of the models')
    add('--number', '-n', type=int, default=8, help='number of images')
    add('--select', nargs='+', help='images: indices, or parts of paths')
    add(
        '--map', choices=FIELDS, default='pred', help='predicted or true class'
    )
    add('--method', help="as in vis_cam.py, in place of the head's own maps")
    add('--threshold', type=float, default=0.2, help='share of the maximum')
    add('--keep', choices=KEEP, default='largest', help='which boxes')
    add('--normalize', choices=NORMALIZATIONS, default='max')
    add('--device', help='default: the GPU if there is one')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    cli.add_trust(parser)
    add('--out', type=Path, default=Path('work_dirs/localization'))
    args = parser.parse_args()
    if len(args.models) % 2:
        parser.error('give a checkpoint for each config')
    args.pairs = list(zip(args.models[::2], args.models[1::2], strict=True))
    args.names = args.names or [Path(c).stem for c, _ in args.pairs]
    if len(set(args.names)) != len(args.pairs):
        parser.error('give each model another name with --names')
    if args.method:
        args.method = check_method(args.method)
    if not 0 <= args.threshold < 1:
        parser.error(f'--threshold must be in [0, 1), got {args.threshold}')
    args.device = args.device or (
        'cuda' if torch.cuda.is_available() else 'cpu'
    )
    return args


def predict(model: nn.Module, packed: dict, args: argparse.Namespace) -> Any:
    """Return a model's data sample with the wanted map."""
    sample = samples.predict(model, packed)
    field = FIELDS[args.map]
    if args.method:
        label = sample.pred_label
        if args.map == 'gt':
            if 'gt_label' not in sample:
                raise ValueError('--map gt: the test set has no labels')
            label = sample.gt_label
        inputs = samples.network_inputs(model, [packed])
        maps = class_activation(model, inputs, int(label[0]), args.method)
        sample.set_field(maps[0], field)
        cells = activation_cells(model, tuple(inputs.shape[-2:]), args.method)
        sample.set_metainfo(dict(map_cells=cells))
    return sample


def collect_answers(
    args: argparse.Namespace, cfgs: list[Config], indices: list[int]
) -> tuple[list[list[pictures.Answer]], list[dict], list[np.ndarray]]:
    """Return the answers for each image, and its sample and true boxes.

    Models are loaded one after another, each with its own test set.
    """
    answers = [[] for _ in indices]
    packs, truths, files = [], [], []
    classes = {}
    for name, cfg, (config, checkpoint) in zip(
        args.names, cfgs, args.pairs, strict=True
    ):
        usage = 'CONFIG CHECKPOINT'
        cli.check_checkpoint(checkpoint, usage, config, args.trust_checkpoint)
        dataset = samples.build_dataset(cfg)
        classes[name] = getattr(dataset, 'metainfo', {}).get('classes')
        check_same_classes(classes)
        model = load_model(cfg, checkpoint, args.device)
        for place, index in enumerate(indices):
            packed = dataset[index]
            sample = predict(model, packed, args)
            answer = pictures.read_answer(
                sample, name, FIELDS[args.map], classes[name]
            )
            answers[place].append(answer)
            file = sample.get('img_path')
            if len(packs) < len(indices):
                packs.append(packed)
                truths.append(find_truth(dataset, index, sample))
                files.append(file)
            elif file != files[place]:
                raise ValueError(
                    f'sample {index} is {file} for {name}, but {files[place]} '
                    f'for {args.names[0]}: compare models on the same test set'
                )
    args.classes = classes[args.names[0]]
    return answers, packs, truths


def find_truth(dataset: Any, index: int, sample: Any) -> np.ndarray:
    """Return a sample's true boxes, in pixels of the original image.

    The data set's own boxes come first: a pipeline that transforms boxes
    (mmcv's Resize) packs them in pixels of its output.
    """
    info = getattr(dataset, 'get_data_info', lambda _: {})(index)
    return pictures.true_boxes(info if 'gt_bboxes' in info else sample)


def draw_rows(
    args: argparse.Namespace,
    indices: list[int],
    answers: list[list[pictures.Answer]],
    packs: list[dict],
    truths: list[np.ndarray],
) -> list[list[Panel]]:
    """Return the panels of each image."""
    rule = pictures.BoxRule(args.threshold, args.keep, args.normalize)
    rows = []
    for index, row_answers, packed, truth in zip(
        indices, answers, packs, truths, strict=True
    ):
        name, sample = (
            samples.sample_name(packed, index),
            packed['data_samples'],
        )
        label = pictures.true_name(sample, args.classes)
        title = f'{name}\ntruth: {label}' if label else name
        image = pictures.original_image(sample, packed['inputs'])
        row = pictures.localization_row(image, title, truth, row_answers, rule)
        for heat, box in zip(row[1::2], row[2::2], strict=True):
            print(f'{name}, {heat.title}: {heat.caption}, {box.caption}')
        rows.append(row)
    return rows


@cli.one_line_errors()
def main() -> None:
    """Draw the sheet and its rows."""
    args = parse_args()
    cfgs = [cli.read_config(c, args.cfg_options) for c, _ in args.pairs]
    first = samples.build_dataset(cfgs[0])
    indices = samples.spread(len(first), args.number)
    if args.select:
        indices = samples.choose(first, args.select)
    answers, packs, truths = collect_answers(args, cfgs, indices)
    rows = draw_rows(args, indices, answers, packs, truths)
    rule = pictures.BoxRule(args.threshold, args.keep, args.normalize)
    which = 'predicted' if args.map == 'pred' else 'true'
    how = f' by {method_title(args.method)}' if args.method else ''
    heading = f'Maps of the {which} class{how}; boxes: {rule}'
    write_image(draw_sheet(rows, heading), args.out / 'localization.png')
    for index, row, packed in zip(indices, rows, packs, strict=True):
        name = f'{index:06d}_{samples.sample_name(packed, index)}.png'
        write_image(draw_sheet([row], heading, width=3), args.out / name)
    print(f'wrote {args.out}/localization.png and {len(rows)} pictures')


if __name__ == '__main__':
    main()
