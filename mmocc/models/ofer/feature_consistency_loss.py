"""Consistency loss: inside the hole, features shall be a trained network's.

From Liu et al., "Coherent Semantic Attention for Image Inpainting" (arXiv
1905.12384), which Latent-OFER (arXiv 2307.11404) cites for its L_c.
"""

import torch
from torch import Tensor, nn

from mmocc.registry import MODELS


def hole_mse(pred: Tensor, target: Tensor, hole: Tensor) -> Tensor:
    """Return the mean squared difference over hidden positions.

    Args:
        pred: (N, C, h, w).
        target: The same shape.
        hole: (N, 1, h, w), True is hidden.

    Returns:
        A scalar >= 0; 0 with gradient if nothing is hidden.
    """
    hole = hole.to(pred.dtype)
    total = ((pred - target).square() * hole).sum()
    return total / (hole.sum() * pred.shape[1]).clamp_min(1)


@MODELS.register_module()
class FeatureConsistencyLoss(nn.Module):
    """Mean over maps of :func:`hole_mse`, with gradient to each map.

    The released code copies the maps' values before it compares them, so that
    they get no gradient, and leaves the target unmasked; neither is done
    here.

    Args:
        loss_weight: The paper's lambda_c.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, maps: list[Tensor], target: Tensor, hole: Tensor
    ) -> Tensor:
        """Return the weighted loss, a scalar in float32.

        Args:
            maps: Each (N, C, h, w).
            target: (N, C, h, w), the true picture's; a constant.
            hole: (N, 1, h, w), True is hidden.

        Raises:
            ValueError: If a map is of another shape than the target.
        """
        for pred in maps:
            if pred.shape != target.shape:
                raise ValueError(
                    f'a map {tuple(pred.shape)} is compared with features '
                    f'{tuple(target.shape)}: choose a layer of the '
                    "features' network with the channels and the stride of "
                    "the U-Net's self-assembly, or loss_consistency=None"
                )
        with torch.autocast(target.device.type, enabled=False):
            target = target.detach().float()
            losses = [hole_mse(pred.float(), target, hole) for pred in maps]
            return self.loss_weight * torch.stack(losses).mean()
