"""Accuracy, confidence and intervals from a model's hits and misses.

A hit is True where the answer was right. Intervals hold with 95 % confidence
and cover the draw of test photos; another training run adds to them.
``python -m benchmarks.coverage`` measures how often they hold.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from mmocc.occlusion import CLEAN, HARD_LEVELS, KINDS

CONFIDENCE = 0.95
ROUNDING = 1e-20  # a variance below is none


def cell_groups(cells: Iterable[str]) -> dict[str, list[str]]:
    """Return the means that tables report, each with its cells.

    ``mean`` is over all cells, as in the papers; ``L1``, ``L2``, ``L3`` over
    kinds; ``L1-L3`` over all of these. Empty groups are left out.
    """
    cells = list(cells)
    groups = {'mean': cells}
    for level in (CLEAN, *HARD_LEVELS):
        groups[level] = [c for c in cells if c.partition(' ')[0] == level]
    groups['L1-L3'] = [c for c in cells if c.partition(' ')[0] in HARD_LEVELS]
    return {name: members for name, members in groups.items() if members}


def cell_kinds(cells: Iterable[str]) -> list[str]:
    """Return the kinds of occlusion in the names of cells.

    Those of :data:`~mmocc.occlusion.KINDS` come first, in their order.
    """
    kinds = dict.fromkeys(k for c in cells if (k := c.partition(' ')[2]))
    return [k for k in KINDS if k in kinds] + [
        k for k in kinds if k not in KINDS
    ]


def cell_means(values: dict[str, float]) -> dict[str, float]:
    """Return the mean of one number of each cell, over each group."""
    return {
        name: float(np.mean([values[cell] for cell in members]))
        for name, members in cell_groups(values).items()
    }


class _Mean(NamedTuple):
    """A mean accuracy, and how much it would vary with other photos."""

    value: float
    spread: np.ndarray  # (photos,), what each adds: variance = spread @ spread
    plain: bool  # whether it is of independent answers, right or wrong


def _mean_of(hits: np.ndarray, photos: np.ndarray | None) -> _Mean:
    """Return the mean of hits (N,) or (N, cells) of images of (N,) photos."""
    hits = np.asarray(hits, np.float64)
    values = hits.reshape(len(hits), -1).mean(axis=1)
    if photos is None:
        photos = np.arange(len(values))
    photos = np.unique(photos, return_inverse=True)[1]
    counts = np.bincount(photos)
    sums = np.bincount(photos, weights=values)
    mean = float(values.mean())
    # A photo draws the mean to itself, so that its gap is too small. (The
    # gap of a single photo is 0, whatever it is divided by.)
    own = np.sqrt(np.maximum(1 - counts / len(values), 1e-9))
    spread = (sums - counts * mean) / own / len(values)
    plain = counts.max() == 1 and bool(np.isin(values, (0, 1)).all())
    return _Mean(mean, spread, plain)


def _wilson(mean: _Mean) -> tuple[float, float]:
    """Return Wilson's interval for as many answers as the mean is worth."""
    photos = len(mean.spread)
    tail = (1 + CONFIDENCE) / 2
    number, quantile = float(photos), stats.norm.ppf(tail)
    if not mean.plain:
        quantile = stats.t.ppf(tail, max(photos - 1, 1))
        variance = float(mean.spread @ mean.spread)
        if variance > ROUNDING:  # else each photo counts as one answer
            number = mean.value * (1 - mean.value) / variance
    worth = quantile**2 / number
    middle = mean.value + worth / 2
    reach = np.sqrt(worth * (mean.value * (1 - mean.value) + worth / 4))
    low, high = (middle - reach) / (1 + worth), (middle + reach) / (1 + worth)
    return max(float(low), 0.0), min(float(high), 1.0)


def accuracy_interval(
    hits: np.ndarray, photos: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the interval of a mean accuracy: low, high in [0, 1].

    For one answer to each photo it is Wilson's. Objects of one photo are not
    independent, nor are the answers to one image in several cells: their
    interval is Wilson's for the number of independent answers whose mean
    would vary as much, with Student's t. The variance is that between photos.

    Args:
        hits: (N,) or (N, cells), N >= 1, True where an answer is right.
        photos: (N,), equal for images of one photo; None if all differ.
    """
    return _wilson(_mean_of(hits, photos))


def difference_interval(
    ours: np.ndarray, base: np.ndarray, photos: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the interval of how much better one model is than another.

    It is Newcombe's for paired answers (Statistics in Medicine 17, 1998, page
    2635, method 10, without his correction of the correlation): made of both
    models' intervals and the correlation of their means. So it holds for few
    images and for high accuracies, too.

    Args:
        ours: (N,) or (N, cells), N >= 1, True where the model is right.
        base: The same of the other model, on the same images.
        photos: As in :func:`accuracy_interval`.

    Returns:
        Low and high in [-1, 1].
    """
    one, two = _mean_of(ours, photos), _mean_of(base, photos)
    size = np.sqrt((one.spread @ one.spread) * (two.spread @ two.spread))
    alike = one.spread @ two.spread / size if size > ROUNDING else 0.0

    def reach(gap: float, other: float) -> float:
        square = gap**2 + other**2 - 2 * alike * gap * other
        return float(np.sqrt(max(square, 0)))

    (low, high), (low_base, high_base) = _wilson(one), _wilson(two)
    gain = one.value - two.value
    return (
        gain - reach(one.value - low, high_base - two.value),
        gain + reach(high - one.value, two.value - low_base),
    )


def separate_mean(
    values: Sequence[float], intervals: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """Return the mean of numbers of separate images, and its interval.

    The intervals are joined by the distances of their ends from the values
    (MOVER; Zou and Donner, Statistics in Medicine 27, 2008, page 1693), which
    keeps them askew where they are.

    Returns:
        Mean, low and high.
    """
    middle = np.asarray(values, np.float64)
    low, high = np.asarray(intervals, np.float64).T
    mean, number = float(middle.mean()), len(middle)
    down = np.sqrt(((middle - low) ** 2).sum()) / number
    up = np.sqrt(((high - middle) ** 2).sum()) / number
    return mean, mean - float(down), mean + float(up)


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
