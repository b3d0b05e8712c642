"""AUROC and AUPRO of anomaly maps, from histograms that add up."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import label
from sklearn.metrics import auc

BINS = 1024
NEIGHBOURS = np.ones((3, 3), int)  # pixels that touch at a corner are one


class PixelCounts(NamedTuple):
    """What is to know of the maps of any number of images.

    Attributes:
        normal: (BINS,) pixels that are not anomalous, by score.
        anomalous: (BINS,) pixels that are.
        overlap: (BINS,) shares of regions, summed over regions.
        regions: Number of connected anomalous regions.
    """

    normal: np.ndarray
    anomalous: np.ndarray
    overlap: np.ndarray
    regions: int

    def __add__(self, other: 'PixelCounts') -> 'PixelCounts':
        """Return the counts of both."""
        return PixelCounts(*(a + b for a, b in zip(self, other, strict=True)))


def count_pixels(scores: np.ndarray, truth: np.ndarray) -> PixelCounts:
    """Return the counts of one image.

    Args:
        scores: (H, W) in [0, 1]; what is beyond counts as the end.
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
        found = places[regions == region]
        overlap += np.bincount(found, minlength=BINS) / len(found)
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
    """Return the normalised area under the per-region overlap curve.

    Bergmann et al., CVPR 2020: for each threshold, the share of a region that
    is found, averaged over the connected regions of all images, against the
    share of normal pixels above it, from 0 to ``limit``, by which the area
    is divided.

    Args:
        counts: Of all images.
        limit: Largest false positive rate.

    Returns:
        In [0, 1]; ``limit`` / 2 for scores at random.
    """
    rate, overlap = _rates(counts.normal), _rates(counts.overlap)
    end = np.interp(limit, rate, overlap)
    keep = rate < limit
    area = auc([*rate[keep], limit], [*overlap[keep], end])
    return float(area / limit)
