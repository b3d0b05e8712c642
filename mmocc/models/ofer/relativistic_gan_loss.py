"""Relativistic average least-squares GAN loss.

Jolicoeur-Martineau, arXiv 1807.00734, in the least-squares form. With y real,
y' redrawn, and D without a sigmoid, that of the discriminator is

    1/2 mean (D(y) - mean D(y') - 1)^2 + 1/2 mean (D(y') - mean D(y) + 1)^2

and that of the generator the same with y and y' exchanged. Latent-OFER (arXiv
2307.11404) names two adversarial losses, and gives no formula; this one is
its released code's.
"""

import torch
from torch import Tensor, nn

from mmocc.registry import MODELS


def relativistic_lsgan(higher: Tensor, lower: Tensor) -> Tensor:
    """Return how far scores are from differing by 1 on average.

    Args:
        higher: Scores of any shape that shall be 1 above the others' mean:
            the real ones for the discriminator, else the redrawn ones.
        lower: Scores that shall be 1 below.

    Returns:
        A scalar >= 0; 1 for scores that are all equal.
    """
    above = (higher - lower.mean() - 1).square().mean()
    below = (lower - higher.mean() + 1).square().mean()
    return (above + below) / 2


@MODELS.register_module()
class RelativisticGANLoss(nn.Module):
    """Both sides of :func:`relativistic_lsgan`.

    Args:
        loss_weight: Factor of the generator's loss; the discriminator's has
            none. The paper's lambda_d is 0.002.
    """

    def __init__(self, loss_weight: float = 0.002) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, real: Tensor, fake: Tensor, for_generator: bool
    ) -> Tensor:
        """Return a scalar, in float32.

        Args:
            real: Scores of real pictures, any shape.
            fake: Scores of redrawn ones.
            for_generator: Whose loss; real scores are constants to the
                generator's.
        """
        with torch.autocast(fake.device.type, enabled=False):
            real, fake = real.float(), fake.float()
            if for_generator:
                return self.loss_weight * relativistic_lsgan(
                    fake, real.detach()
                )
            return relativistic_lsgan(real, fake)
