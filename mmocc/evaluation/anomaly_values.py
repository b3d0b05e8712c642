"""AUROC, AP and recall of anomalous objects; AUROC and AUPRO of their pixels.

Pixels are counted in histograms, which add up over images and processes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label
from sklearn.metrics import auc, average_precision_score, roc_auc_score

BINS = 1024
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
    """Histograms of the maps of any number of images."""

    normal: np.ndarray  # (BINS,) pixels that are not anomalous, by score
    anomalous: np.ndarray  # (BINS,) pixels that are
    overlap: np.ndarray  # (BINS,) shares of regions, summed over regions
    regions: int  # connected anomalous ones

    def __add__(self, other: 'PixelCounts') -> 'PixelCounts':
        """Return the counts of both."""
        return PixelCounts(*(a + b for a, b in zip(self, other, strict=True)))


def count_pixels(scores: np.ndarray, truth: np.ndarray) -> PixelCounts:
    """Return the counts of one image.

    Args:
        scores: (H, W) in [0, 1]; values beyond count as the end.
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
    places = (scores * BINS).astype(np.int64).clip(0, BINS - 1)
    regions, number = label(truth != 0, NEIGHBOURS)
    overlap = np.zeros(BINS)
    for region in range(1, number + 1):
        inside = places[regions == region]
        overlap += np.bincount(inside, minlength=BINS) / len(inside)
    return PixelCounts(
        np.bincount(places[regions == 0], minlength=BINS),
        np.bincount(places[regions > 0], minlength=BINS),
        overlap,
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


def pixel_values(counts: PixelCounts) -> dict[str, float | None]:
    """Return ``pixel_auroc`` and ``aupro``; None where not defined."""
    if not counts.regions or not counts.normal.sum():
        return dict(pixel_auroc=None, aupro=None)
    return dict(pixel_auroc=pixel_auroc(counts), aupro=aupro(counts))
