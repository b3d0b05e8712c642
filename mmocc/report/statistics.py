"""Accuracy, confidence and intervals from a model's hits and misses.

A hit is True where the answer was right. Intervals hold with 95 % confidence
and cover the draw of test images; another training run adds to them.
"""

from collections.abc import Iterable

import numpy as np
from scipy import stats

from mmocc.occlusion import CLEAN, HARD_LEVELS

CONFIDENCE = 0.95
RESAMPLES = 2000
CHUNK = 2_000_000  # numbers of the resampling that are in memory at once


def cell_groups(cells: Iterable[str]) -> dict[str, list[str]]:
    """Return the means that tables report, each with its cells.

    ``mean`` is over all cells, as in the papers; ``L1``, ``L2``, ``L3`` over
    kinds; ``L1-L3`` over all occluded cells. Empty groups are left out.
    """
    cells = list(cells)
    groups = {'mean': cells}
    for level in (CLEAN, *HARD_LEVELS):
        groups[level] = [c for c in cells if c.partition(' ')[0] == level]
    groups['L1-L3'] = [cell for cell in cells if cell != CLEAN]
    return {name: members for name, members in groups.items() if members}


def cell_means(values: dict[str, float]) -> dict[str, float]:
    """Return the mean of one number of each cell, over each group."""
    return {
        name: float(np.mean([values[cell] for cell in members]))
        for name, members in cell_groups(values).items()
    }


def wilson_interval(hits: np.ndarray) -> tuple[float, float]:
    """Return Wilson's interval of an accuracy: low, high in [0, 1]."""
    test = stats.binomtest(int(np.sum(hits)), len(hits))
    interval = test.proportion_ci(CONFIDENCE, method='wilson')
    return float(interval.low), float(interval.high)


def bootstrap_interval(
    values: np.ndarray, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean over images.

    Images are drawn, not single answers: an image's answers in several cells
    go together, since they are not independent. ``values`` (N,), N >= 1, has
    one number for each image, e.g. the mean of its hits over cells.

    Returns:
        Low and high, in the unit of the values.
    """
    rng = np.random.default_rng(seed)
    values = np.asarray(values, np.float64)
    # Equal values go together: a multinomial draw of how often each occurs
    # is the same bootstrap, at a cost that does not grow with N.
    levels, counts = np.unique(values, return_counts=True)
    rows = max(CHUNK // len(levels), 1)
    means = [
        rng.multinomial(len(values), counts / len(values), size) @ levels
        for size in np.diff([*range(0, RESAMPLES, rows), RESAMPLES])
    ]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low / len(values)), float(high / len(values))


def per_class_accuracy(
    hits: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return the share of hits by class, (num_classes,) in [0, 1].

    ``labels`` are the true classes; NaN for a class without images.
    """
    total = np.bincount(labels, minlength=num_classes)
    right = np.bincount(labels, weights=hits, minlength=num_classes)
    return np.divide(
        right, total, out=np.full(num_classes, np.nan), where=total > 0
    )


def reliability(
    hits: np.ndarray, confidence: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how often a model is right at each confidence in [0, 1].

    Returns:
        Mean confidence, accuracy and number of images of each of the equal
        ``bins``; NaN for the first two where one is empty.
    """
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = (
        np.bincount(place, weights=values, minlength=bins)
        for values in (confidence, hits)
    )
    mean, accuracy = (
        np.divide(s, count, out=np.full(bins, np.nan), where=count > 0)
        for s in sums
    )
    return mean, accuracy, count


def calibration_error(
    hits: np.ndarray, confidence: np.ndarray, bins: int = 10
) -> float:
    """Return the expected calibration error, in [0, 1].

    It is the mean over images of the gap |confidence - accuracy| of their
    bin (Guo et al. 2017, arXiv 1706.04599, equation 5).
    """
    mean, accuracy, count = reliability(hits, confidence, bins)
    gap = np.nan_to_num(np.abs(mean - accuracy))
    return float((gap * count).sum() / count.sum())
