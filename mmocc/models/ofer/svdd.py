"""The maths of ``mmocc.PatchSVDD``, all in float32 with autocast off.

The one-class Deep SVDD of Ruff et al. (ICML 2018), which Latent-OFER (arXiv
2307.11404, Eq. 1) applies to the patch latents of a ViT.
"""

from collections.abc import Iterable

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from sklearn.svm import OneClassSVM
from torch import Tensor

CHUNK = 2**16  # points whose kernel is in memory at a time


def push_from_zero(centre: Tensor, least: float = 0.1) -> Tensor:
    """Return a centre (d,) without coordinates nearer to zero than ``least``.

    Weights of zero could reach a coordinate of zero, whatever the input; 0.1
    is the official code's.
    """
    sign = torch.where(centre < 0, -1.0, 1.0)
    return sign * centre.abs().clamp_min(least)


def centre_distances(points: Tensor, centre: Tensor) -> Tensor:
    """Return the float32 (...) distances of points (..., d) to (d,)."""
    return (points.float() - centre.float()).norm(dim=-1)


def one_class_loss(distances: Tensor) -> Tensor:
    """Return mean(d^2) of (n,) distances, the first term of Eq. 1; 0 of none.

    The second term is the optimizer's weight decay.
    """
    return distances.float().square().sum() / max(distances.numel(), 1)


def soft_boundary_loss(distances: Tensor, radius: Tensor, nu: float) -> Tensor:
    """Return R^2 + mean(max(0, d^2 - R^2)) / nu of (n,) distances; 0 of none.

    Ruff et al., Eq. 3, with a share ``nu`` in (0, 1) outside of the radius R.
    It does not train R: the quantile 1 - nu minimises it for fixed distances.
    """
    square = radius.detach().float().square()
    over = (distances.float().square() - square).clamp_min(0)
    number = max(distances.numel(), 1)
    return (square * bool(distances.numel())) + over.sum() / (nu * number)


def quantile_radius(distances: Tensor, nu: float) -> float:
    """Return the radius that a share ``nu`` in (0, 1) of (n,) points exceeds.

    Any number of points, unlike ``torch.quantile``.

    Raises:
        ValueError: If there is no point, or a distance is not finite.
    """
    values = distances.detach().float().cpu().numpy()
    if not values.size or not np.isfinite(values).all():
        raise ValueError(
            f'no radius for {values.size} distances, '
            f'{int((~np.isfinite(values)).sum())} of them not finite; train '
            'on clean patches, and check the latents'
        )
    return float(np.quantile(values, 1 - nu))


class KernelSVDD(BaseModule):
    """SVDD with a Gaussian kernel, solved by scikit-learn.

    With this kernel all points have length 1, so that the hyperplane of a
    one-class SVM is the sphere of SVDD (Tax and Duin, 2004): the centre is
    the weighted sum of the support vectors, which checkpoints hold.

    Args:
        nu: Share of points that may lie outside, in (0, 1).
        gamma: Of the kernel exp(-gamma |x - y|^2); ``scale`` is
            1 / (d * variance of the points).
    """

    def __init__(self, nu: float, gamma: float | str = 'scale') -> None:
        super().__init__()
        self.nu = nu
        self.gamma_rule = gamma
        self.register_buffer('support', torch.zeros(0, 0))
        self.register_buffer('weight', torch.zeros(0))
        self.register_buffer('gamma', torch.zeros(()))

    def fit(self, points: Tensor) -> None:
        """Describe the points (n, d) only; time and memory grow with n^2."""
        data = points.detach().double().cpu().numpy()
        gamma = self.gamma_rule
        if gamma == 'scale':
            gamma = 1 / max(data.shape[1] * data.var(), 1e-12)
        svm = OneClassSVM(nu=self.nu, gamma=gamma).fit(data)
        weight = torch.from_numpy(svm.dual_coef_[0]).float()
        place = self.gamma.device
        self.support = torch.from_numpy(svm.support_vectors_).float().to(place)
        self.weight = (weight / weight.sum()).to(place)
        self.gamma.fill_(gamma)

    def forward(self, points: Tensor) -> Tensor:
        """Return the distances (...), float32 in [0, 2], of points (..., d).

        Raises:
            RuntimeError: If it is not fitted.
        """
        if not len(self.weight):
            raise RuntimeError(
                'the kernel SVDD is not fitted; train with '
                "dict(type='mmocc.FitRadiusHook') in custom_hooks"
            )
        inner = self.weight @ self._kernel(self.support) @ self.weight
        flat = points.float().reshape(-1, points.shape[-1])
        parts = [self._kernel(p) @ self.weight for p in flat.split(CHUNK)]
        square = 1 - 2 * torch.cat(parts) + inner
        return square.clamp_min(0).sqrt().view(points.shape[:-1])

    def _kernel(self, points: Tensor) -> Tensor:
        """Return the (n, S) kernel of points and support vectors."""
        # cdist uses matrix products: x - y would hold n * S * d numbers.
        square = torch.cdist(points, self.support).square()
        return torch.exp(-self.gamma * square)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        # Only the checkpoint knows the number of support vectors.
        for name in ('support', 'weight'):
            saved = state_dict.get(f'{prefix}{name}')
            if saved is not None:
                old = getattr(self, name)
                setattr(self, name, old.new_zeros(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class PatchWhitening(BaseModule):
    """Bring latents to mean 0 and covariance 1, at each position separately.

    z' = (z - m_l) W_l for position l, with the mean m_l and the symmetric
    inverse root W_l of the covariance of the clean patches there. What is
    common at an eye is anomalous on a cheek, and latents vary more along some
    directions than along others. The length of z' is then the Mahalanobis
    distance of PaDiM (Defard et al., arXiv 2011.08785, Eq. 2), which fits a
    Gaussian to each position of aligned images. Latent-OFER names no such
    step. It holds L * D * D numbers: 460 MB for a ViT-B/16 with all of them.

    Args:
        number: Number of patches L.
        dims: Width of the latents D.
        ridge: Added to all variances, as a share of their mean, so that
            directions without variance do not decide.
    """

    def __init__(self, number: int, dims: int, ridge: float = 0.01) -> None:
        super().__init__()
        self.ridge = ridge
        self.register_buffer('mean', torch.zeros(number, dims))
        # Zeros: not fitted.
        self.register_buffer('matrix', torch.zeros(number, dims, dims))

    @property
    def fitted(self) -> bool:
        """Whether :meth:`fit` has run."""
        return bool(self.matrix[0].any())

    def forward(self, latents: Tensor) -> Tensor:
        """Return whitened latents (N, L, D); RuntimeError if not fitted."""
        if not self.fitted:
            raise RuntimeError(
                'the whitening of mmocc.PatchSVDD is not fitted: put '
                "dict(type='mmocc.FitRadiusHook', at_start=True) first into "
                'custom_hooks, or load a trained model'
            )
        return torch.einsum('nld,lde->nle', latents - self.mean, self.matrix)

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit it to the clean patches of all processes.

        Args:
            batches: Latents (N, L, D), and the (N, L) bool of clean ones.

        Raises:
            ValueError: If a position has fewer than two clean patches, or a
                latent is not finite.
        """
        number = self.mean.new_zeros(len(self.mean), dtype=torch.float64)
        first = torch.zeros_like(self.mean, dtype=torch.float64)
        second = torch.zeros_like(self.matrix, dtype=torch.float64)
        for latents, clean in batches:
            latents = (latents * clean[..., None]).double()
            number += clean.sum(dim=0)
            first += latents.sum(dim=0)
            second += torch.einsum('nld,nle->lde', latents, latents)
        for total in (number, first, second):
            all_reduce(total)
        if (number < 2).any() or not second.isfinite().all():
            raise ValueError(
                f'position {int(number.argmin())} of the patches is clean in '
                f'{int(number.min())} pictures, or latents are not finite: '
                'whitening needs two clean patches at each position; give '
                'more pictures, paste less, check the latents'
            )
        mean = first / number[:, None]
        covariance = second / number[:, None, None]
        covariance -= torch.einsum('ld,le->lde', mean, mean)
        variance, axes = torch.linalg.eigh(covariance)
        variance = variance.clamp_min(0)
        ridge = self.ridge * variance.mean(dim=1, keepdim=True) + 1e-12
        self.mean.copy_(mean)
        # Only the symmetric root is unique.
        scaled = axes / (variance + ridge).sqrt()[:, None]
        self.matrix.copy_(scaled @ axes.mT)
