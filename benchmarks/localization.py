"""Speed and memory of MaxBoxAccV2, against a loop over its thresholds.

    python -m benchmarks.localization [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.localization --memory 1000 10000

The rival does what clovaai/wsolevaluation does: at each of 100 thresholds,
threshold the map, find its contours, take their boxes and the IoU of these
with the ground truth. Both start from maps of 224x224 in 256 levels, both run
in one thread, and their hits are compared on every map before the timing.
With ``--quick`` there are 200 maps instead of 5,794, the number of CUB's test
images.

``cam``: a few blobs near the object on a smooth background, 14x14, enlarged
bicubically like class maps. ``noise14``: 14x14 random numbers, enlarged in the
same way. ``noise``: 224x224 random numbers (a hundredth as many maps: the loop
takes seconds for each).

``--memory``: the peak memory of a process for the metric over so many maps;
each number has its own process.

Predicted for one CPU core: cam 5, noise14 6 and noise 12 times faster; memory
the same to a megabyte from 1,000 to 10,000 maps.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import torch

from benchmarks.timing import Rivals, add_arguments, run_cases
from mmocc.evaluation.box_sweep import sweep_thresholds
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    normalize_map,
    resize_map,
    to_levels,
)
from mmocc.evaluation.max_box_acc import MaxBoxAcc

IMAGES, SIDE, CELLS = 5794, 224, 14
THRESHOLDS = np.arange(0, 1, 0.01)
IOUS = np.array([0.3, 0.5, 0.7])
TARGET = 3.0
KINDS = ('cam', 'noise14', 'noise')


def draw_box(rng: np.random.Generator) -> np.ndarray:
    """Return a box about as large as CUB's, int64 (1, 4) xyxy."""
    size = rng.uniform(0.35, 0.9, 2) * SIDE
    start = rng.uniform(0, 1, 2) * (SIDE - size)
    return np.concatenate([start, start + size]).astype(np.int64)[None]


def draw_cam(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a class map (14, 14) of an object in a box."""
    y, x = np.mgrid[:CELLS, :CELLS] + 0.5
    x1, y1, x2, y2 = box[0] * CELLS / SIDE
    cam = np.zeros((CELLS, CELLS))
    for _ in range(rng.integers(1, 4)):
        centre_x, centre_y = rng.uniform(x1, x2), rng.uniform(y1, y2)
        width, height = rng.uniform(0.2, 0.5, 2) * (x2 - x1, y2 - y1)
        square = ((x - centre_x) / width) ** 2 + ((y - centre_y) / height) ** 2
        cam += rng.uniform(0.4, 1) * np.exp(-square / 2)
    calm = cv2.GaussianBlur(rng.standard_normal(cam.shape), (0, 0), 1.5)
    return cam + 0.2 * calm


def draw_maps(kind: str, number: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return maps in 256 levels, uint8 (N, 224, 224), and their boxes."""
    rng = np.random.default_rng(0)
    maps = np.empty((number, SIDE, SIDE), np.uint8)
    boxes = [draw_box(rng) for _ in range(number)]
    for index, box in enumerate(boxes):
        if kind == 'cam':
            cam = draw_cam(box, rng)
        else:
            side = CELLS if kind == 'noise14' else SIDE
            cam = rng.standard_normal((side, side))
        cam = normalize_map(resize_map(cam, (SIDE, SIDE)), 'minmax')
        maps[index] = to_levels(cam)
    return maps, boxes


def loop_hits(levels: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
    """Return (3, 100) hits of a map, one threshold after the other."""
    height, width = levels.shape
    hits = np.zeros((len(IOUS), len(THRESHOLDS)), bool)
    way = cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
    for place, threshold in enumerate(THRESHOLDS):
        cut = int(threshold * levels.max())
        _, mask = cv2.threshold(levels, cut, 255, cv2.THRESH_BINARY)
        contours, _ = cv2.findContours(mask, *way)
        boxes = [[0, 0, 0, 0]] if not contours else []
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            boxes.append([x, y, min(x + w, width - 1), min(y + h, height - 1)])
        best = box_iou_inclusive(np.array(boxes), gt_boxes).max()
        hits[:, place] = best >= IOUS
    return hits


def sweep_hits(levels: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
    """Return the same hits by mmocc."""
    ious = sweep_thresholds(levels, THRESHOLDS, gt_boxes, IOUS.min())
    return ious >= IOUS[:, None]


def count_hits(
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray],
    maps: np.ndarray,
    boxes: list[np.ndarray],
) -> np.ndarray:
    """Return the sum of the hits of all maps, as the metric does."""
    return np.sum([*map(hits, maps, boxes)], axis=0)


def rivals(kind: str, number: int) -> Rivals:
    """Return both ways to the hits, after comparing them map by map."""
    number = max(2, number // 100) if kind == 'noise' else number
    maps, boxes = draw_maps(kind, number)
    for levels, gt_boxes in zip(maps, boxes, strict=True):
        ours, other = sweep_hits(levels, gt_boxes), loop_hits(levels, gt_boxes)
        if (ours != other).any():
            raise AssertionError('the hits of a map differ')
    return Rivals(
        f'MaxBoxAccV2 of {number} maps, {kind}, identical hits',
        partial(count_hits, sweep_hits, maps, boxes),
        partial(count_hits, loop_hits, maps, boxes),
        per=number,
        faster=True,
        target=TARGET,
    )


def use_memory(number: int) -> None:
    """Run the metric over maps drawn one by one; print its memory."""
    rng, metric = np.random.default_rng(0), MaxBoxAcc(interval=0.01)
    for _ in range(number):
        box = draw_box(rng)
        sample = dict(
            gt_cam=torch.from_numpy(draw_cam(box, rng)),
            gt_bboxes=box,
            ori_shape=(SIDE, SIDE),
        )
        metric.process({}, [sample])
    score = metric.evaluate(number)['max_box_acc/v2']
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f'{number} maps: {peak:.1f} MiB at most, MaxBoxAccV2 {score:.2f}')


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(
        description='Measure the speed and memory of MaxBoxAccV2'
    )
    add_arguments(parser, 3, 'cam or noise14')
    add = parser.add_argument
    text = 'measure only the memory, for so many maps'
    add('--memory', type=int, nargs='+', metavar='MAPS', help=text)
    add('--in-process', action='store_true')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.in_process:
        use_memory(*args.memory)
        return
    for number in args.memory or ():
        command = [sys.executable, '-m', 'benchmarks.localization']
        command += ['--in-process', '--memory', str(number)]
        subprocess.run(command, check=True)
    if not args.memory:
        run_cases(cases(200 if args.quick else IMAGES), args)


def cases(number: int) -> Iterator[tuple[str, Callable[[], Rivals]]]:
    """Yield the name of each case and the function that sets it up."""
    for kind in KINDS:
        yield kind, partial(rivals, kind, number)


if __name__ == '__main__':
    main()
