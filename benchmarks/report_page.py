"""How large is the report's page, and how long does it take to write?

``python -m benchmarks.report_page --images FOLDER --classes 10 100 1000``
writes pages of made-up answers of two models in 13 cells, with 12 pictures a
cell from the folder. ``tools/dev/check_page.mjs`` says how long Chromium takes
to draw them.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from mmocc.occlusion import CLEAN, cell_names, level_range
from mmocc.report.answers import Answers
from mmocc.report.page import write_report
from mmocc.report.page_examples import (
    choose_places,
    lost_keys,
    make_example,
)
from mmocc.report.seeds import CellAnswers
from mmocc.report.summary import summarise
from mmocc.utils.files import list_images

SIDE = 224


class MadeUp(dict):
    """A sample with what the page asks of it."""

    gt_label = 0


def made_up_answers(classes: int, gain: float) -> CellAnswers:
    """Return answers that get worse as more is hidden; one a class, or 300."""
    generator = np.random.default_rng(0)
    count = max(classes, 300)
    label, hard = np.arange(count) % classes, generator.random(count)
    cells = {}
    for cell in cell_names():
        share = np.zeros(count)
        if cell != CLEAN:
            low, high = level_range(cell.partition(' ')[0])
            share = np.linspace(low, high, count, endpoint=False)
        hits = hard < 0.93 - 1.1 * share + gain * (cell != CLEAN)
        cells[cell] = Answers(
            index=np.arange(count),
            label=label,
            pred=np.where(hits, label, (label + 1) % classes),
            confidence=generator.uniform(0.1, 1, count).astype(np.float32),
            share=share.astype(np.float32),
            identity=np.array([f'{place}.jpg' for place in range(count)]),
            rank=np.where(hits, 0, 3),
            truth=np.full(count, 0.5, np.float32),
            regions=dict(image=count),
        )
    return cells


def main() -> None:
    """Write a page for each number of classes and print size and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', required=True, help='folder of photos')
    parser.add_argument('--classes', type=int, nargs='+', default=[10, 1000])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/pages'))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    files = list_images(args.images, deep=True)
    for classes in args.classes:
        models = {
            n: made_up_answers(classes, g) for n, g in (('a', 0), ('b', 0.1))
        }
        names = [f'class_{number:04d}' for number in range(classes)]
        shots = []
        for cell, given in models['a'].items():
            lost = lost_keys(models['a'], cell) | lost_keys(models['b'], cell)
            rows = np.array([key in lost for key in given.keys.tolist()])
            first, others = choose_places(rows, 12)
            for place in first + others:
                image = cv2.imread(str(files[len(shots) % len(files)]))
                image = cv2.resize(image, (SIDE, SIDE))
                sample = MadeUp(occlusion_share=float(given.share[place]))
                sample.gt_label = int(given.label[place])
                inputs = torch.from_numpy(image).permute(2, 0, 1)
                packed = dict(inputs=inputs, data_samples=sample)
                shots.append(make_example(packed, place, cell, models, names))
        start = time.perf_counter()
        path = args.out / f'{classes}.html'
        write_report(summarise(models, names), shots, path)
        seconds = time.perf_counter() - start
        size = path.stat().st_size / 2**20
        print(f'{classes} classes: {size:.2f} MiB, {seconds:.1f} s')


if __name__ == '__main__':
    main()
