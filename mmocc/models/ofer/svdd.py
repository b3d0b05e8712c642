"""Support vector data description: centres, radii, distances and losses.

Deep SVDD is of Ruff et al. (ICML 2018); Latent-OFER (arXiv 2307.11404, Eq. 1)
applies its one-class form to the patch latents of a ViT. All of it is in
float32, with autocast off: a radius is a quantile far out, which half
precision would blur.
"""

import numpy as np
import torch
from mmengine.model import BaseModule
from sklearn.svm import OneClassSVM
from torch import Tensor

CHUNK = 2**16  # points whose distances to the support are held at a time


def push_from_zero(centre: Tensor, least: float = 0.1) -> Tensor:
    """Return a centre none of whose coordinates is near zero.

    A coordinate of zero could be met by weights of zero, whatever the input.

    Args:
        centre: (d,).
        least: A coordinate below it in size becomes this size, with its sign.
            0.1 is the official Deep SVDD's.

    Returns:
        (d,).
    """
    sign = torch.where(centre < 0, -1.0, 1.0)
    return sign * centre.abs().clamp_min(least)


def centre_distances(points: Tensor, centre: Tensor) -> Tensor:
    """Return Euclidean distances to the centre.

    Args:
        points: (..., d).
        centre: (d,).

    Returns:
        float32 (...), >= 0.
    """
    return (points.float() - centre.float()).norm(dim=-1)


def one_class_loss(distances: Tensor) -> Tensor:
    """Return mean(d^2), the first term of Eq. 1.

    Its second, lambda / 2 times the squared weights, is the optimizer's
    weight decay.

    Args:
        distances: (n,); of none, the loss is 0.
    """
    return distances.float().square().sum() / max(distances.numel(), 1)


def soft_boundary_loss(distances: Tensor, radius: Tensor, nu: float) -> Tensor:
    """Return R^2 + mean(max(0, d^2 - R^2)) / nu.

    Ruff et al., Eq. 3. The radius is not learnt by it: it is the quantile
    1 - nu, which is its minimum for fixed distances.

    Args:
        distances: (n,); of none, the loss is 0.
        radius: Scalar R.
        nu: Share of points that may lie outside, in (0, 1).
    """
    square = radius.detach().float().square()
    over = (distances.float().square() - square).clamp_min(0)
    number = max(distances.numel(), 1)
    return (square * bool(distances.numel())) + over.sum() / (nu * number)


def quantile_radius(distances: Tensor, nu: float) -> float:
    """Return the radius that a share ``nu`` of the points exceeds.

    Args:
        distances: (n,), n >= 1; any number, unlike ``torch.quantile``.
        nu: In (0, 1).

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
    the weighted sum of the support vectors. These are kept as tensors, which
    is all that a checkpoint needs to know.

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
        """Describe these points, in place of all before.

        Args:
            points: (n, d); time and memory grow with n^2.
        """
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
        """Return distances to the centre in feature space.

        Args:
            points: (..., d).

        Returns:
            float32 (...) in [0, 2].

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
        # By matrix products: the plain way holds n * S * d numbers on a GPU.
        square = torch.cdist(points, self.support).square()
        return torch.exp(-self.gamma * square)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        # How many support vectors there are is known by the checkpoint alone.
        for name in ('support', 'weight'):
            given = state_dict.get(f'{prefix}{name}')
            if given is not None:
                old = getattr(self, name)
                setattr(self, name, old.new_zeros(given.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
