"""AUROC, AP and recall of odd objects, where some have no score."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from mmocc.evaluation.pixel_curves import PixelCounts, aupro, pixel_auroc

Metric = Callable[[np.ndarray, np.ndarray], float]


def rank_metric(
    metric: Metric, odd: np.ndarray, scores: np.ndarray
) -> float | None:
    """Return a metric of the order of scores; None if one kind is missing.

    Args:
        metric: Such as scikit-learn's ``roc_auc_score``.
        odd: (n,) bool.
        scores: (n,); -inf is below all others, and ties with itself.
    """
    if not odd.any() or odd.all():
        return None
    # scikit-learn takes no infinite scores; it only looks at their order.
    order = np.unique(scores, return_inverse=True)[1]
    return float(metric(odd, order))


def object_values(
    scores: np.ndarray, odd: np.ndarray, false_alarms: float
) -> dict[str, float | None]:
    """Return what one score is worth; see ``mmocc.ObjectAnomalyMetric``.

    Args:
        scores: (n,), NaN for objects that no detection speaks for.
        odd: (n,) bool.
        false_alarms: Share of detected normal objects above the threshold of
            ``recall``.

    Returns:
        ``auroc``, ``ap``, ``auroc_all``, ``ap_all`` and ``recall``; None for
        what is not defined.
    """
    seen = ~np.isnan(scores)
    every = np.where(seen, scores, -np.inf)
    values = {}
    for name, metric in (
        ('auroc', roc_auc_score),
        ('ap', average_precision_score),
    ):
        values[name] = rank_metric(metric, odd[seen], scores[seen])
        values[f'{name}_all'] = rank_metric(metric, odd, every)
    values['recall'] = None
    if (seen & ~odd).any() and odd.any():
        limit = np.quantile(scores[seen & ~odd], 1 - false_alarms)
        values['recall'] = float((every[odd] > limit).mean())
    return values


def pixel_values(counts: PixelCounts) -> dict[str, float | None]:
    """Return ``pixel_auroc`` and ``aupro``; None where not defined."""
    if not counts.regions or not counts.normal.sum():
        return dict(pixel_auroc=None, aupro=None)
    return dict(pixel_auroc=pixel_auroc(counts), aupro=aupro(counts))


def mean_or_none(values: np.ndarray | list) -> float | None:
    """Return the mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def background_difference(
    image: torch.Tensor, size: tuple[int, int], background: float
) -> np.ndarray:
    """Return how far each pixel is from blank paper.

    Args:
        image: (C, h, w), values 0 to 255.
        size: (H, W) to bring it to.
        background: Shade of blank paper, 0 to 1.

    Returns:
        (H, W) float32 in [0, 1].
    """
    shades = image.detach().float().cpu() / 255
    difference = (shades - background).abs().mean(0).numpy()
    smaller = size[0] < difference.shape[0]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(difference, size[::-1], interpolation=way)
