"""AUROC, AP and recall of anomalous objects; AUROC and AUPRO of their pixels.

Pixels are counted by score, and counts add up over images and processes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label
from sklearn.metrics import auc, average_precision_score, roc_auc_score

DROPPED_BITS = 7  # of the 23 of a float32's fraction
NEIGHBOURS = np.ones((3, 3), int)  # pixels that touch at a corner are one


def rank_metric(
    metric: Callable[[np.ndarray, np.ndarray], float],
    anomalous: np.ndarray,
    scores: np.ndarray,
) -> float | None:
    """Return a metric of the order of scores; None if one kind is missing.

    Args:
        metric: Such as scikit-learn's ``roc_auc_score``.
        anomalous: (n,) bool.
        scores: (n,); -inf is below all others.
    """
    if not anomalous.any() or anomalous.all():
        return None
    # scikit-learn takes no infinite scores, and needs only their order.
    order = np.unique(scores, return_inverse=True)[1]
    return float(metric(anomalous, order))


def object_values(
    scores: np.ndarray, anomalous: np.ndarray, false_alarms: float
) -> dict[str, float | None]:
    """Return ``auroc``, ``ap``, ``auroc_all``, ``ap_all`` and ``recall``.

    See ``mmocc.ObjectAnomalyMetric``; None for what is not defined.

    Args:
        scores: (n,), NaN for objects without a detection.
        anomalous: (n,) bool.
        false_alarms: Share of detected normal objects that ``recall`` allows.
    """
    detected = ~np.isnan(scores)
    every = np.where(detected, scores, -np.inf)
    values = {}
    metrics = dict(auroc=roc_auc_score, ap=average_precision_score)
    pair = anomalous[detected], scores[detected]
    for name, metric in metrics.items():
        values[name] = rank_metric(metric, *pair)
        values[f'{name}_all'] = rank_metric(metric, anomalous, every)
    values['recall'] = None
    normal = scores[detected & ~anomalous]
    if len(normal) and anomalous.any():
        limit = np.quantile(normal, 1 - false_alarms)
        values['recall'] = float((every[anomalous] > limit).mean())
    return values


def mean_or_none(values: np.ndarray | list) -> float | None:
    """Return the mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


class PixelCounts(NamedTuple):
    """How many pixels of any number of images have each score."""

    keys: np.ndarray  # (k,) int64, rising: of :func:`score_keys`
    normal: np.ndarray  # (k,) pixels that are not anomalous
    anomalous: np.ndarray  # (k,) pixels that are
    overlap: np.ndarray  # (k,) shares of regions, summed over regions
    regions: int  # connected anomalous ones


def add_counts(parts: Sequence[PixelCounts]) -> PixelCounts:
    """Return the counts of all images together."""
    keys, places = np.unique(
        np.concatenate([part.keys for part in parts]), return_inverse=True
    )
    sums = (
        np.bincount(
            places,
            np.concatenate([part[column] for part in parts]),
            minlength=len(keys),
        )
        for column in (1, 2, 3)
    )
    return PixelCounts(keys, *sums, sum(part.regions for part in parts))


def score_keys(scores: np.ndarray) -> np.ndarray:
    """Return whole numbers in the order of scores, int64 of the same shape.

    The bits of a float32, read as a whole number, have the order of the
    floats. Scores that differ by less than 2**-16 of themselves share one: so
    maps of any range are told apart alike.
    """
    bits = np.ascontiguousarray(scores, np.float32).view(np.int32)
    bits = bits.astype(np.int64)
    rising = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return rising >> DROPPED_BITS


def count_pixels(scores: np.ndarray, truth: np.ndarray) -> PixelCounts:
    """Return the counts of one image.

    Args:
        scores: (H, W) of any range, higher if more anomalous.
        truth: (H, W), non-zero where anomalous.

    Raises:
        ValueError: If the two differ in size, or a score is not finite.
    """
    if scores.shape != truth.shape:
        raise ValueError(
            f'an anomaly map of {scores.shape} for a ground truth of '
            f'{truth.shape} pixels: load the annotations after Resize'
        )
    if not np.isfinite(scores).all():
        raise ValueError('the anomaly map is not finite')
    keys, places = np.unique(score_keys(scores), return_inverse=True)
    places = places.reshape(scores.shape)
    regions, number = label(truth != 0, NEIGHBOURS)
    area = np.bincount(regions.ravel(), minlength=number + 1)
    share = 1 / np.maximum(area, 1)
    inside = regions > 0
    size = dict(minlength=len(keys))
    return PixelCounts(
        keys,
        np.bincount(places[~inside], **size).astype(float),
        np.bincount(places[inside], **size).astype(float),
        np.bincount(places[inside], share[regions[inside]], **size),
        number,
    )


def _rates(counts: np.ndarray) -> np.ndarray:
    """Return the share at or above each threshold, falling, from 0 to 1."""
    return np.concatenate([[0], counts[::-1].cumsum() / counts.sum()])


def pixel_auroc(counts: PixelCounts) -> float:
    """Return the area under the ROC curve over all pixels, in [0, 1]."""
    return float(auc(_rates(counts.normal), _rates(counts.anomalous)))


def aupro(counts: PixelCounts, limit: float = 0.3) -> float:
    """Return the normalised area under the per-region overlap curve, 0 to 1.

    Bergmann et al., CVPR 2020: the share of a region that is above a
    threshold, averaged over the connected regions of all images, against the
    share of normal pixels above it, from 0 to ``limit``.
    """
    rate, overlap = _rates(counts.normal), _rates(counts.overlap)
    end = np.interp(limit, rate, overlap)
    keep = rate < limit
    area = auc([*rate[keep], limit], [*overlap[keep], end])
    return float(area / limit)


def aupimo(
    normal: Sequence[PixelCounts],
    defective: Sequence[PixelCounts],
    limits: tuple[float, float] = (1e-5, 1e-4),
) -> np.ndarray:
    """Return the AUPIMO of each defective image, (n,) in [0, 1].

    Bertoldo et al., arXiv 2401.01984: the share of an image's anomalous
    pixels that is found, averaged over thresholds by the logarithm of what
    they cost: the share of pixels of a normal image above the threshold,
    averaged over the normal images. At each cost z the threshold is the
    lowest one that costs at most z; so nothing is interpolated.

    Args:
        normal: Counts of normal images, at least one.
        defective: Counts of images with anomalous pixels.
        limits: The least and the highest cost.
    """
    shares = [
        part._replace(normal=part.normal / part.normal.sum())
        for part in normal
    ]
    total = add_counts(shares)
    # From the highest score down, what the scores up to this one cost.
    keys, cost = total.keys[::-1], total.normal[::-1].cumsum() / len(normal)
    edges = np.log(np.clip([0, *cost], *limits))
    # Between two costs, all scores above the second's key are found.
    width = np.diff(edges) / np.log(limits[1] / limits[0])
    used = width > 0
    keys, width = keys[used], width[used]
    values = []
    for part in defective:
        below = np.concatenate([[0], part.anomalous.cumsum()])
        place = np.searchsorted(part.keys, keys, side='right')
        found = 1 - below[place] / below[-1]
        values.append(min((found * width).sum(), 1.0))  # rounding
    return np.array(values)


def pixel_f1_max(counts: PixelCounts) -> float:
    """Return the highest F1 of anomalous pixels of all thresholds, 0 to 1."""
    hits, false = (
        part[::-1].cumsum() for part in (counts.anomalous, counts.normal)
    )
    return float((2 * hits / (hits + false + hits[-1])).max())


def pixel_values(counts: PixelCounts) -> dict[str, float | None]:
    """Return ``pixel_auroc``, ``aupro`` and ``pixel_f1_max``.

    None for each where no pixel is anomalous, or none is normal.
    """
    metrics = dict(
        pixel_auroc=pixel_auroc, aupro=aupro, pixel_f1_max=pixel_f1_max
    )
    defined = counts.regions > 0 and counts.normal.sum() > 0
    return {
        name: metric(counts) if defined else None
        for name, metric in metrics.items()
    }
