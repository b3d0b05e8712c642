"""Speed of mmocc.Occlude and of the generator of occluded sets.

    python -m benchmarks.occlude [--quick] [--only NAME ...] [--json FILE]
    python -m benchmarks.occlude --levels 10000

``occlude``: ``mmocc.Occlude`` per image of 224x224, compared with mmpretrain's
``RandomErasing`` as its own recipes use it (``mode='rand'`` with the data
set's mean and deviation). Both hide 20-80 % of the image. RandomErasing draws
no shape and meets no level: it is the lower bound for hiding so many pixels by
noise. The rows ``default`` and ``uniform`` are its cheaper modes, which no
recipe uses; they have no target.

``albumentations``: its CoarseDropout and GridDropout, if it is installed.

``generator``: time per image of ``make_occluded`` (500x375 pixels, three
objects, all 13 cells, PNG) with two processes, and how many times faster they
are than one; without the start of the processes.

``--levels``: exactness, by random draws; see ``benchmarks.levels``.

Predicted from a profile (cut-outs 3.5 ms, RandomErasing 1.4 ms), before the
first run, for two CPU cores: white 1.9, noise 2.1, texture 2.1, object 2.6
times the time of RandomErasing; 50 times its default mode; the generator makes
1.5 images (20 files of pixels) per second and core, and 1.8 times as many with
two processes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from mmpretrain.datasets.transforms import RandomErasing
from rich.progress import track

from benchmarks.learn import write_banks
from benchmarks.levels import describe, draw_levels
from benchmarks.timing import (
    Result,
    Rivals,
    add_arguments,
    judge,
    run_cases,
)
from mmocc.datasets.transforms import Occlude
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.voc import VOCSource
from mmocc.occluded_sets.writer import write_occluded
from mmocc.occlusion import KINDS
from mmocc.utils.worker_pool import CHUNK

SIDE, AREA = 224, (0.2, 0.8)
TARGET = 3.0
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # BGR
MODES = {
    'recipe': dict(mode='rand', fill_color=MEAN, fill_std=STD),
    'uniform': dict(mode='rand'),
    'default': dict(mode='const'),
}
DROPOUTS = ('CoarseDropout', 'GridDropout')

XML = """<annotation><filename>{name}.jpg</filename>{objects}</annotation>"""
OBJECT = """<object><name>cat</name><bndbox><xmin>{0}</xmin><ymin>{1}</ymin>
<xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""
BOXES = ((20, 30, 170, 340), (200, 40, 330, 200), (350, 120, 480, 350))


def photo(index: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """Return an image of (w, h) that compresses about as well as a photo."""
    rng = np.random.default_rng(index)
    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    fine = rng.integers(0, 12, (*size[::-1], 3), np.uint8)
    return cv2.add(
        cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), fine
    )


def occlude(kind: str, banks: dict[str, str]) -> Callable[[], dict]:
    """Return the call that occludes the next image."""
    image = photo()
    step = Occlude(kind, AREA, region='image', seed=0, **banks)
    numbers = iter(range(10**9))
    return lambda: step(dict(img=image.copy(), sample_idx=next(numbers)))


def against_erasing(kind: str, mode: str, banks: dict[str, str]) -> Rivals:
    """Return Occlude and RandomErasing in one of its modes."""
    image = photo()
    np.random.seed(0)
    erasing = RandomErasing(1.0, *AREA, **MODES[mode])
    return Rivals(
        f'Occlude {kind} at {SIDE} px / RandomErasing, {mode}',
        occlude(kind, banks),
        lambda: erasing(dict(img=image.copy())),
        target=TARGET if (kind, mode) == ('object', 'recipe') else None,
    )


def against_dropout(name: str, banks: dict[str, str]) -> Rivals:
    """Return Occlude and a dropout of albumentations, of half the image."""
    import albumentations

    image = photo()
    options = dict(p=1.0)
    if name == 'GridDropout':
        options['ratio'] = 0.5
    dropout = getattr(albumentations, name)(**options)
    return Rivals(
        f'Occlude object at {SIDE} px / albumentations {name}',
        occlude('object', banks),
        lambda: dropout(image=image),
    )


def write_set(root: Path, num: int) -> VOCSource:
    """Write a VOC set of images with three boxes each."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    objects = ''.join(OBJECT.format(*box) for box in BOXES)
    names = [f'{index:06d}' for index in range(num)]
    for index, name in enumerate(names):
        path = str(root / 'JPEGImages' / f'{name}.jpg')
        cv2.imwrite(path, photo(index, (500, 375)))
        xml = XML.format(name=name, objects=objects)
        (root / 'Annotations' / f'{name}.xml').write_text(
            xml, encoding='utf-8'
        )
    lines = ''.join(f'{name}\n' for name in names)
    (root / 'ImageSets' / 'Main' / 'test.txt').write_text(
        lines, encoding='utf-8'
    )
    return VOCSource(root, 'test')


def seconds_per_image(
    source: VOCSource, settings: OccludedSettings, out: Path, workers: int
) -> float:
    """Return the time of one image after all processes have started."""
    times = []

    def watch(results: Iterable, total: int) -> Iterator:
        for result in results:
            times.append(time.perf_counter())
            yield result

    write_occluded(source, settings, out, workers, progress=watch)
    first = 2 * CHUNK - 1  # a round of two processes
    return (times[-1] - times[first]) / (len(times) - 1 - first)


def generator(rounds: int, num: int, banks: dict[str, str]) -> Result:
    """Measure the generator with two processes and with one, in turns."""
    settings = OccludedSettings(**banks)
    seconds = {2: [], 1: []}
    with tempfile.TemporaryDirectory() as folder:
        source = write_set(Path(folder) / 'set', num)
        for number in range(rounds):
            for workers in (2, 1) if number % 2 else (1, 2):
                out = Path(folder) / f'{number}-{workers}'
                seconds[workers].append(
                    seconds_per_image(source, settings, out, workers)
                )
    ratios = [b / a for a, b in zip(seconds[2], seconds[1], strict=True)]
    spread = statistics.quantiles(ratios * 2, method='inclusive')
    rivals = Rivals(
        'make_occluded, 13 cells, two processes, times faster than one',
        *(None, None),
        faster=True,
    )
    ratio = statistics.median(ratios)
    return Result(
        rivals.name,
        statistics.median(seconds[2]) * 1e3,
        statistics.median(seconds[1]) * 1e3,
        ratio,
        (spread[0], spread[2]),
        *judge(rivals, ratio),
        rounds,
    )


def cases(
    banks: dict[str, str], quick: bool
) -> Iterator[tuple[str, Callable[[], Rivals | Result]]]:
    """Yield names of cases and what sets up or measures each."""
    for kind in KINDS:
        set_up = partial(against_erasing, kind, 'recipe', banks)
        yield f'occlude-{kind}', set_up
    for mode in ('uniform', 'default'):
        set_up = partial(against_erasing, 'object', mode, banks)
        yield f'occlude-object-{mode}', set_up
    for name in DROPOUTS:
        if find_spec('albumentations'):
            set_up = partial(against_dropout, name, banks)
            yield f'albumentations-{name}', set_up
    num = 5 * CHUNK if quick else 20 * CHUNK
    measure = partial(generator, 1 if quick else 3, num, banks)
    yield 'generator', measure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the speed of Occlude and of make_occluded'
    )
    add_arguments(parser, 15, 'occlude-object or generator')
    parser.add_argument(
        '--levels',
        type=int,
        metavar='DRAWS',
        help='occlude so many random objects instead, and judge the shares',
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print one table, and write it."""
    args = parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if not find_spec('albumentations'):
        print(f'{", ".join(DROPOUTS)}: left out, albumentations is missing')
    with tempfile.TemporaryDirectory() as folder:
        banks = write_banks(Path(folder))
        if args.levels:
            print(describe(draw_levels(args.levels, banks, progress=track)))
            return
        run_cases(cases(banks, args.quick), args)


if __name__ == '__main__':
    main()
