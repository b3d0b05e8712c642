"""How often the report's 95 % intervals contain the true value.

    python -m benchmarks.coverage [--draws 500] [--seed 0]

Test sets are drawn from two models whose true accuracies are known. Each
answer is right if a normal number is below a threshold; photo, image and cell
have their shares in that number, so that answers to the objects of one photo
and to one image in several cells depend on each other, and so do those of the
two models. The difference is that between the two models' means over cells.

It is no benchmark of speed: ``python -m benchmarks`` leaves it out.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy import stats

from mmocc.report.statistics import accuracy_interval, difference_interval

CELLS = 13
WHAT = ('cell', 'mean', 'difference of cells', 'difference')
# Photos, their objects (a mean of 5, 'uneven': 1 and more), first accuracy.
CASES = [
    (images // objects, objects, uneven, accuracy)
    for images in (50, 200, 1000)
    for objects, uneven in ((1, False), (5, False), (5, True))
    for accuracy in (0.6, 0.9, 0.97)
]
GAP = 0.03  # by which the second model is worse in each cell


def true_accuracies(accuracy: float) -> np.ndarray:
    """Return the (2, cells) true accuracies of both models."""
    cells = np.linspace(accuracy, 0.6 * accuracy, CELLS)
    return np.stack([cells, cells - GAP])


def draw_answers(
    photos: int,
    objects: int,
    uneven: bool,
    accuracy: float,
    draws: int,
    seed: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield hits (2 models, N, cells) and photos (N,) of drawn test sets.

    Of an answer's variance, a photo with several objects decides 0.4 and an
    image 0.3; the models share half of both.
    """
    rng = np.random.default_rng(seed)
    limits = stats.norm.ppf(true_accuracies(accuracy))[:, None]
    photo_share = 0.4 if objects > 1 else 0.0
    weights = np.sqrt([photo_share / 2, 0.15, photo_share / 2, 0.15])
    rest = np.sqrt(0.7 - photo_share)
    for _ in range(draws):
        sizes = np.full(photos, objects)
        if uneven:
            sizes = 1 + rng.poisson(objects - 1, photos)
        photo = np.repeat(np.arange(photos), sizes)
        images = len(photo)
        both = weights[0] * rng.normal(size=(1, photos))[:, photo]
        both = both + weights[1] * rng.normal(size=(1, images))
        own = weights[2] * rng.normal(size=(2, photos))[:, photo]
        own = own + weights[3] * rng.normal(size=(2, images))
        noise = rng.normal(size=(2, images, CELLS), scale=rest)
        yield (both + own)[..., None] + noise < limits, photo


def coverage(
    photos: int,
    objects: int,
    uneven: bool,
    accuracy: float,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, float]:
    """Return how often intervals contain the true value, in [0, 1]."""
    first = true_accuracies(accuracy)[0]
    truth = (first[0], first.mean(), GAP, GAP)
    inside = np.zeros(len(WHAT))
    for (ours, base), photo in draw_answers(
        photos, objects, uneven, accuracy, draws, seed
    ):
        intervals = (
            accuracy_interval(ours[:, 0], photo),
            accuracy_interval(ours, photo),
            difference_interval(ours[:, 0], base[:, 0], photo),
            difference_interval(ours, base, photo),
        )
        inside += [
            low <= value <= high
            for value, (low, high) in zip(truth, intervals, strict=True)
        ]
    return dict(zip(WHAT, inside / draws, strict=True))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--draws', type=int, default=500)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    heads = ('photos', 'objects in each', 'accuracy', *WHAT)
    print(f'| {" | ".join(heads)} |')
    print('|' + '---:|' * len(heads))
    for photos, objects, uneven, accuracy in CASES:
        found = coverage(
            photos, objects, uneven, accuracy, args.draws, args.seed
        )
        texts = [f'{100 * share:.1f}' for share in found.values()]
        number = f'{objects} (mean)' if uneven else f'{objects}'
        row = [f'{photos}', number, f'{100 * accuracy:.0f} %', *texts]
        print(f'| {" | ".join(row)} |', flush=True)


if __name__ == '__main__':
    main()
