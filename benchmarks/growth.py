"""How time grows with the size of the work: fitted exponents.

    python -m benchmarks.growth [--quick] [--only NAME ...] [--json FILE]

Each case does the same work at growing sizes, in turns, and fits time =
c * size^e. The columns are the time at the largest and at the smallest size,
e, and its middle half over the rounds; the target is the largest exponent
allowed. Small sizes cost mostly the time of any call, which lowers e.

``batch`` and ``side``: LEARN's neck, forward and backward. ``classes``: its
latent losses for 64 images of more and more classes. ``objects``: hiding each
object of an image, and assigning objects to SSD300's priors. ``images``: the
metrics of localization and of the occlusion benchmark.

Predicted before the first run: batch and images 1 (0.9 as fitted), side 2
(1.6), classes 0, hiding of objects 2 (each is compared with all others; 1.5),
priors 1.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import (
    MIN_ROUND,
    Result,
    Rivals,
    add_arguments,
    judge,
    run_cases,
    seconds,
)
from mmocc.evaluation.max_box_acc import MaxBoxAcc
from mmocc.models.learn import (
    LEARN,
    InterClassLatentLoss,
    IntraClassLatentLoss,
)
from mmocc.occlusion.occlude_objects import occlude_objects
from mmocc.occlusion.occluders import OccluderBank
from mmocc.occlusion.regions import box_region
from mmocc.report.statistics import accuracy_interval

Work = Callable[[], object]
SLACK = 0.15  # of an exponent, for noise
SIDE = 512


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Return the e of time = c * size^e, by least squares of logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def grow(
    name: str,
    make: Callable[[int], Work],
    sizes: Sequence[int],
    target: float,
    rounds: int,
) -> Result:
    """Time the work at all sizes, in turns, and fit the exponent.

    Args:
        name: What is measured.
        make: Sets up the work of a size.
        sizes: Ascending.
        target: The exponent that theory allows.
        rounds: How often each size is timed.
    """
    works = [make(size) for size in sizes]
    for work in works:
        work()
    repeats = [max(1, round(MIN_ROUND / seconds(work))) for work in works]
    taken = [
        [seconds(*pair) for pair in zip(works, repeats, strict=True)]
        for _ in range(rounds)
    ]
    exponents = [exponent(sizes, times) for times in taken]
    low, middle, high = statistics.quantiles(exponents, method='inclusive')
    title = f'{name}, {sizes[0]} to {sizes[-1]}: exponent'
    rivals = Rivals(title, None, None, target=target + SLACK)
    return Result(
        title,
        statistics.median(times[-1] for times in taken) * 1e3,
        statistics.median(times[0] for times in taken) * 1e3,
        middle,
        (low, high),
        *judge(rivals, middle),
        rounds,
    )


def neck(batch: int, side: int) -> Work:
    """Return LEARN's forward and backward on such features."""
    learn, feats = LEARN(in_channels=128), torch.randn(batch, 128, side, side)

    def work() -> None:
        learn.zero_grad()
        learn((feats,))[-1].square().mean().backward()

    return work


def latent_losses(classes: int) -> Work:
    """Return LEARN's latent losses for 64 images of so many classes."""
    torch.manual_seed(0)
    latents = torch.randn(2, 64, 32, 4, 4, requires_grad=True)
    labels = torch.randint(classes, (64,))
    losses = IntraClassLatentLoss(), InterClassLatentLoss()
    return lambda: sum(loss(*latents, labels) for loss in losses).backward()


def random_boxes(number: int) -> Tensor:
    """Return (n, 4) boxes of 16 to 64 pixels in an image of 512."""
    generator = torch.Generator().manual_seed(0)
    size = 16 + 48 * torch.rand(number, 2, generator=generator)
    low = (SIDE - size) * torch.rand(number, 2, generator=generator)
    return torch.cat([low, low + size], 1)


def hiding(objects: int) -> Work:
    """Return the work of hiding so many objects of an image."""
    bank = OccluderBank(['white'])
    image = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
    boxes = random_boxes(objects).numpy()
    regions = [box_region(box, (SIDE, SIDE)) for box in boxes]

    def work() -> None:
        generator = torch.Generator().manual_seed(0)
        occlude_objects(image, regions, 'white', (0.2, 0.4), bank, generator)

    return work


def priors(objects: int) -> Work:
    """Return the choice of an object for each of SSD300's 8732 priors."""
    from mmdet.models.task_modules import MaxIoUAssigner

    from mmocc.models.dea.ssd_losses import assign, pad_boxes

    assigner = MaxIoUAssigner(
        0.5,
        0.5,
        min_pos_iou=0.0,
        iou_calculator=dict(type='mmdet.BboxOverlaps2D'),  # in any scope
    )
    boxes, real = pad_boxes([random_boxes(objects)])
    candidates = random_boxes(8732)
    blocked = torch.zeros(1, 8732, dtype=torch.bool)
    return partial(
        assign, boxes, real, [objects], candidates, blocked, assigner
    )


def max_box_acc(images: int) -> Work:
    """Return MaxBoxAcc of so many maps of 7 x 7, at ten thresholds."""
    maps = np.random.default_rng(0).random((32, 7, 7))
    truth = np.array([[1, 1, 5, 5]])

    def work() -> None:
        metric = MaxBoxAcc(interval=0.1, eval_size=(7, 7))
        for index in range(images):
            metric.score_map(maps[index % 32], truth, (7, 7))

    return work


def interval(images: int) -> Work:
    """Return the interval of a mean over so many images, five a photo."""
    hits = np.random.default_rng(0).random((images, 13)) < 0.7
    return partial(accuracy_interval, hits, np.arange(images) // 5)


CURVES = {  # what makes the work, its sizes, the exponent that is allowed
    'batch': (lambda n: neck(n, 14), (1, 4, 16, 64), 1),
    'side': (lambda n: neck(4, n), (2, 4, 8, 16, 32), 2),
    'classes': (latent_losses, (10, 100, 1000, 10_000), 0),
    'objects-hidden': (hiding, (1, 5, 25, 100, 200), 2),
    'objects-priors': (priors, (1, 10, 50, 200), 1),
    'images-maxboxacc': (max_box_acc, (100, 1000, 10_000), 1),
    'images-interval': (interval, (1000, 10_000, 100_000), 1),
}


def cases(rounds: int) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield names of cases and what measures each."""
    for name, curve in CURVES.items():
        yield name, partial(grow, name, *curve, rounds)


def main() -> None:
    """Measure, print one table, and write it."""
    parser = argparse.ArgumentParser(description='Measure how time grows')
    add_arguments(parser, 9, 'batch or objects')
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    run_cases(cases(3 if args.quick else args.rounds), args)


if __name__ == '__main__':
    main()
