"""Score class maps, or a baseline, against a metadata folder.

    python tools/analysis_tools/eval_localization.py \
        metadata/CUB/test --maps maps/ [--json scores.json]

The folder holds image_ids.txt, localization.txt and, where that holds boxes,
image_sizes.txt. A map is DIR/<image id>.npy, two-dimensional, over the whole
image, of any size and range. Boxes are scored by MaxBoxAcc, version 1 and 2,
masks (OpenImages30k) by PxAP.

Baselines need no data: gaussian is a map with its peak in the middle of every
image, full-image is the box of the image.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from mmocc.datasets.wsol.metadata import (
    Localization,
    read_image_ids,
    read_image_sizes,
    read_localization,
)
from mmocc.evaluation.localization import box_iou_inclusive, scale_boxes
from mmocc.evaluation.max_box_acc import MaxBoxAcc
from mmocc.evaluation.px_ap import PxAP

BASELINES, IOUS = ('gaussian', 'full-image'), (0.3, 0.5, 0.7)
SIGMA = 0.25  # any width gives the same ellipses


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


def gaussian_map(size: Sequence[int]) -> np.ndarray:
    """Return a map of (h, w) with its peak in the middle."""
    rows, columns = (
        np.square((np.arange(side) - (side - 1) / 2) / (SIGMA * side))
        for side in size
    )
    return np.exp(-0.5 * (rows[:, None] + columns))


def open_maps(maps: str, size: Sequence[int]) -> Callable[[str], np.ndarray]:
    """Return a function from the id of an image to its map."""
    if maps in BASELINES:
        cam = gaussian_map(size) if maps == 'gaussian' else np.zeros(size)
        return lambda image_id: cam
    folder = Path(maps)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder}: no such folder of maps; give one with '
            f'<image id>.npy files, or {" or ".join(BASELINES)}'
        )
    return lambda image_id: read_map(folder / f'{image_id}.npy')


def read_map(path: Path) -> np.ndarray:
    """Read one map."""
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such map, though image_ids.txt lists the image; '
            'write a map for each image, named <image id>.npy'
        )
    try:
        cam = np.load(path, allow_pickle=False)  # a pickle may run anything
    except ValueError as error:
        raise ValueError(
            f'{path}: no array of numbers ({error}); write it with numpy.save '
            'from a float array'
        ) from error
    if cam.ndim != 2 or not np.issubdtype(cam.dtype, np.number):
        raise ValueError(
            f'{path}: {cam.dtype} of the shape {cam.shape}; a map is numbers '
            'of shape (h, w)'
        )
    return cam


def check_lines(ids: Sequence[str], lines: dict, path: Path) -> None:
    """Refuse images without a line in a file."""
    missing = [image_id for image_id in ids if image_id not in lines]
    if missing:
        raise ValueError(
            f'{path}: no line for {len(missing)} of {len(ids)} images, first '
            f'for {missing[0]}; add them, or remove these images from '
            'image_ids.txt'
        )


def score_boxes(
    args: argparse.Namespace, ids: list[str], truth: Localization
) -> dict[str, float]:
    """Return MaxBoxAcc of the maps."""
    sizes = read_image_sizes(args.metadata)
    check_lines(ids, truth.boxes, args.metadata / 'localization.txt')
    check_lines(ids, sizes, args.metadata / 'image_sizes.txt')
    shapes = {image_id: sizes[image_id][::-1] for image_id in ids}
    if args.maps == 'full-image':
        return score_full_image(args, shapes, truth)
    read = open_maps(args.maps, args.eval_size)
    metric = MaxBoxAcc((1, 2), IOUS, args.interval, args.eval_size)

    return metric.summarize(
        sum(
            metric.score_map(read(i), truth.boxes[i], shapes[i])
            for i in track(ids, 'scoring', transient=True)
        )
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


def score_masks(
    args: argparse.Namespace, ids: list[str], truth: Localization
) -> dict[str, float]:
    """Return PxAP of the maps."""
    check_lines(ids, truth.masks, args.metadata / 'localization.txt')
    read = open_maps(args.maps, args.eval_size)
    metric = PxAP(args.interval, args.eval_size)

    def score(image_id: str) -> np.ndarray:
        names, ignore = truth.masks[image_id]
        paths = [args.mask_root / name for name in names]
        ignore = ignore and args.mask_root / ignore
        return metric.score_map(read(image_id), paths, ignore)

    images = track(ids, 'scoring', transient=True)
    return metric.summarize(sum(map(score, images)))


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
        score = score_masks if truth.masks else score_boxes
        metrics = score(args, ids, truth)
    except (OSError, ValueError) as error:
        print(f'eval_localization: {error}', file=sys.stderr)
        return 1
    prefix = 'px_ap' if truth.masks else 'max_box_acc'
    scores = {f'{prefix}/{k}': float(v) for k, v in metrics.items()}
    print(f'{len(ids)} images of {args.metadata}, maps: {args.maps}')
    for name, value in scores.items():
        print(f'{name:32}{value:8.3f}')
    if args.json:
        settings = dict(interval=args.interval, eval_size=[*args.eval_size])
        document = dict(metadata=str(args.metadata), maps=args.maps)
        document |= dict(images=len(ids), **settings, metrics=scores)
        args.json.write_text(
            json.dumps(document, indent=2) + '\n', encoding='utf-8'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
