"""Semantic consistency: the redrawn face has the true face's expression.

Latent-OFER (arXiv 2307.11404), Eq. 4, with the minus sign that it lacks:

    L_sc = - sum over classes c of p_c(true) log p_c(redrawn)

p is the softmax of a frozen expression network.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmocc.registry import MODELS


@MODELS.register_module()
class SemanticConsistencyLoss(nn.Module):
    """Cross-entropy between what is recognised in true and redrawn faces.

    The released code takes the label instead of p(true), a sigmoid before the
    softmax, and passes no gradient on; here all is as in the equation.

    Args:
        loss_weight: The paper's lambda_sc.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the weighted mean over faces, a scalar in float32.

        Args:
            logits: (N, classes) of redrawn faces.
            target: (N, classes) of the true ones; constants.
        """
        with torch.autocast(logits.device.type, enabled=False):
            share = target.detach().float().softmax(1)
            return self.loss_weight * F.cross_entropy(logits.float(), share)
