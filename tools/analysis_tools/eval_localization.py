"""Score class maps, or a baseline, against a metadata folder.

    python tools/analysis_tools/eval_localization.py \
        metadata/CUB/test --maps maps/ [--json scores.json]

The folder holds image_ids.txt, localization.txt and, where that holds boxes,
image_sizes.txt. A map is DIR/<image id>.npy, two-dimensional, over the whole
image, of any size and range; mmocc.DumpMaps writes them, with a manifest that
says where their cells lie (--align receptive_field). Boxes are scored by
MaxBoxAcc, version 1 and 2, masks (OpenImages30k) by PxAP. A threshold chosen
on a validation set is --threshold; by default it is the best one of this set.
export_wsol_metadata.py writes the folder for any mmocc.WSOLDataset.

Baselines need no data: gaussian is a map with its peak in the middle of every
image, full-image is the box of the image.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from mmocc.apis.map_scorer import IOUS, MapScorer, make_metric
from mmocc.datasets.wsol.metadata import (
    Localization,
    read_image_ids,
    read_image_sizes,
    read_localization,
)
from mmocc.evaluation.localization import box_iou_inclusive, scale_boxes
from mmocc.utils.cell_grid import ALIGNMENTS
from mmocc.utils.worker_pool import run_jobs


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('metadata', type=Path, metavar='METADATA_DIR')
    add(
        '--maps',
        required=True,
        metavar='DIR|gaussian|full-image',
        help='folder of maps, or a baseline (./gaussian is a folder)',
    )
    add('--json', type=Path, metavar='FILE', help='file for the scores')
    text = "where a map's cells lie (default: %(default)s, as published)"
    add('--align', choices=ALIGNMENTS, default='grid', help=text)
    text = 'share of the range above which boxes are cut, such as that of '
    text += 'a validation set (default: the best one of this set)'
    add('--threshold', type=float, help=text)
    add('--workers', type=int, default=1, help='processes (default: 1)')
    text = 'step between thresholds (default: %(default)s)'
    add('--interval', type=float, default=0.001, help=text)
    add(
        '--eval-size',
        type=int,
        nargs=2,
        default=(224, 224),
        metavar=('HEIGHT', 'WIDTH'),
        help='grid of maps and ground truth (default: 224 224, as published)',
    )
    add(
        '--mask-root',
        type=Path,
        default=Path(),
        help='folder that masks are relative to (default: this one)',
    )
    return parser.parse_args()


def score_maps(
    args: argparse.Namespace, ids: list[str], truth: Localization
) -> dict[str, float]:
    """Return the metrics of the maps."""
    shapes: dict[str, tuple[int, int]] = {}
    path = args.metadata / 'localization.txt'
    if truth.masks:
        check_lines(ids, truth.masks, path)
    else:
        check_lines(ids, truth.boxes, path)
        sizes = read_image_sizes(args.metadata)
        check_lines(ids, sizes, args.metadata / 'image_sizes.txt')
        shapes = {image_id: sizes[image_id][::-1] for image_id in ids}
        if args.maps == 'full-image':
            return score_full_image(args, shapes, truth)
    state = args, truth, shapes
    scores = run_jobs(MapScorer, state, MapScorer.score, ids, args.workers)
    images = track(scores, 'scoring', total=len(ids), transient=True)
    return make_metric(args, truth).summarize(sum(images))


def check_lines(ids: Sequence[str], lines: dict, path: Path) -> None:
    """Refuse images without a line in a file."""
    missing = [image_id for image_id in ids if image_id not in lines]
    if missing:
        raise ValueError(
            f'{path}: no line for {len(missing)} of {len(ids)} images, first '
            f'for {missing[0]}; add them, or remove these images from '
            'image_ids.txt'
        )


def score_full_image(
    args: argparse.Namespace,
    shapes: dict[str, tuple[int, int]],
    truth: Localization,
) -> dict[str, float]:
    """Return the accuracy of the box of the whole image."""
    height, width = args.eval_size
    box = [[0, 0, width - 1, height - 1]]
    ious = [
        box_iou_inclusive(
            box, scale_boxes(truth.boxes[i], shape, args.eval_size)
        ).max()
        for i, shape in shapes.items()
    ]
    shares = [100 * np.mean(np.array(ious) >= thr) for thr in IOUS]
    names = [f'v2_iou{round(100 * thr)}' for thr in IOUS]
    scores = dict(v1=shares[IOUS.index(0.5)], v2=np.mean(shares))
    return scores | dict(zip(names, shares, strict=True))


def main() -> int:
    """Score the maps, print, and write; return the exit status."""
    args = parse_args()
    try:
        ids = read_image_ids(args.metadata)
        if not ids:
            raise ValueError(
                f'{args.metadata / "image_ids.txt"}: empty; it lists the '
                'images to score, one in a line'
            )
        truth = read_localization(args.metadata)
        metrics = score_maps(args, ids, truth)
    except (OSError, ValueError) as error:
        print(f'eval_localization: {error}', file=sys.stderr)
        return 1
    prefix = 'px_ap' if truth.masks else 'max_box_acc'
    prefix += '' if args.align == 'grid' else '_aligned'
    scores = {f'{prefix}/{k}': float(v) for k, v in metrics.items()}
    print(f'{len(ids)} images of {args.metadata}, maps: {args.maps}')
    for name, value in scores.items():
        print(f'{name:32}{value:8.3f}')
    if args.json:
        settings = dict(interval=args.interval, eval_size=[*args.eval_size])
        settings |= dict(align=args.align, threshold=args.threshold)
        document = dict(metadata=str(args.metadata), maps=args.maps)
        document |= dict(images=len(ids), **settings, metrics=scores)
        args.json.write_text(
            json.dumps(document, indent=2) + '\n', encoding='utf-8'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
