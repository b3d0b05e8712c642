"""Whitening of patch latents, at each position of the face by itself.

What is common at an eye is strange on a cheek, and latents vary much more
along some directions than along others: without it, a plain distance says
little about how strange a patch is. Latent-OFER (arXiv 2307.11404) names no
such step; it is an affine map before the Phi of its Eq. 1.
"""

from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor


class PatchWhitening(BaseModule):
    """Latents of mean 0 and covariance 1 at each position.

    z' = (z - m_l) W_l for position l, with the mean m_l and the symmetric
    inverse root W_l of the covariance of the clean patches there. It holds
    L * D * D numbers: 4 MB for 64 patches of 128 numbers, 460 MB for a
    ViT-B/16.

    Args:
        number: Number of patches L.
        dims: Width of the latents D.
        ridge: What is added to all variances, as a share of their mean, so
            that directions in which hardly anything varies do not decide.
    """

    def __init__(self, number: int, dims: int, ridge: float = 0.01) -> None:
        super().__init__()
        self.ridge = ridge
        self.register_buffer('mean', torch.zeros(number, dims))
        # Zeros: not fitted.
        self.register_buffer('matrix', torch.zeros(number, dims, dims))

    @property
    def fitted(self) -> bool:
        """Whether it has seen clean patches."""
        return bool(self.matrix[0].any())

    def forward(self, latents: Tensor) -> Tensor:
        """Return whitened latents.

        Args:
            latents: float32 (N, L, D).

        Raises:
            RuntimeError: If it is not fitted.
        """
        if not self.fitted:
            raise RuntimeError(
                'mmocc.PatchSVDD(whiten=True) has not seen clean patches '
                "yet: put dict(type='mmocc.FitRadiusHook', at_start=True) "
                'first into custom_hooks, or load a trained one'
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
        # The symmetric root: no other is unique.
        scaled = axes / (variance + ridge).sqrt()[:, None]
        self.matrix.copy_(scaled @ axes.mT)
