"""A Gaussian for each place: how far are new features from normal ones?

PaDiM's statistics (arXiv 2011.08785, section III-B). Pure functions. N images,
P places (patches) of each, D features of a place.
"""

from typing import NamedTuple

import torch
from torch import Tensor

# Places whose factors are computed at a time, which bounds the memory.
AT_ONCE = 64


class Moments(NamedTuple):
    """Sums over any number of images, in float64; they add up."""

    count: Tensor  # (P,) features of each place
    first: Tensor  # (P, D) their sum
    second: Tensor  # (P, D, D) the sum of their products

    def __add__(self, other: 'Moments') -> 'Moments':  # type: ignore[override]
        """Return the moments of both."""
        return Moments(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other: 'Moments') -> 'Moments':
        """Return the moments of all except a part of them."""
        return Moments(*(a - b for a, b in zip(self, other, strict=True)))


class Gaussian(NamedTuple):
    """A Gaussian for each place, in float32."""

    mean: Tensor  # (P, D)
    factor: Tensor  # (P, D, D) F with the inverse covariance F^T F


def moments(rows: Tensor, keep: Tensor | None = None) -> Moments:
    """Return the moments of features.

    Args:
        rows: (N, P, D).
        keep: (N, P) bool, those that count; all without.
    """
    if keep is None:
        keep = rows.new_ones(rows.shape[:2], dtype=torch.bool)
    places = rows.double().masked_fill(~keep[..., None], 0).transpose(0, 1)
    return Moments(keep.sum(0).double(), places.sum(1), places.mT @ places)


def fit_gaussian(sums: Moments, shrink: float = 0.01) -> Gaussian:
    """Return the Gaussians of normal features.

    Args:
        sums: Of at least two features for each place.
        shrink: Added to each variance, PaDiM's epsilon, in the features' own
            unit squared; so that a covariance of few images has an inverse.

    Raises:
        ValueError: If a place has fewer than two features, or ``shrink`` is
            not positive.
    """
    if shrink <= 0:
        raise ValueError(f'shrink must be positive, got {shrink}')
    if (sums.count < 2).any():
        raise ValueError(
            'a covariance needs at least two normal features of each place, '
            f'but place {int(sums.count.argmin())} has '
            f'{int(sums.count.min())}: give more normal images'
        )
    size = sums.first.shape[1]
    unit = torch.eye(size, dtype=torch.float64, device=sums.first.device)
    means, factors = [], []
    for count, first, second in zip(
        *(part.split(AT_ONCE) for part in sums), strict=True
    ):
        count = count[:, None]
        mean = first / count
        outer = first[:, :, None] * mean[:, None]
        cov = (second - outer) / (count[..., None] - 1) + shrink * unit
        lower = torch.linalg.cholesky(cov)
        inverse = torch.linalg.solve_triangular(
            lower, unit.expand_as(lower), upper=False
        )
        means.append(mean.float())
        factors.append(inverse.float())
    return Gaussian(torch.cat(means), torch.cat(factors))


def mahalanobis(rows: Tensor, gaussian: Gaussian) -> Tensor:
    """Return the Mahalanobis distance of features from their place's mean.

    Args:
        rows: (N, P, D).
        gaussian: Of these places.

    Returns:
        (N, P) float32, >= 0.
    """
    away = (rows.float() - gaussian.mean).transpose(0, 1)  # (P, N, D)
    return (away @ gaussian.factor.mT).norm(dim=2).T
