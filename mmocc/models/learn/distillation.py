"""Learn from the frozen classifier's own clean answers, without labels.

After Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network",
arXiv 1503.02531: soft targets at a temperature, times its square.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmocc.registry import MODELS


def kl_of_logits(
    logits: Tensor,
    teacher: Tensor,
    temperature: float = 1.0,
    use_sigmoid: bool = False,
) -> Tensor:
    """Return the KL divergence of the teacher's answer and each row's.

    Args:
        logits: (N, classes).
        teacher: (N, classes); no gradient goes to it.
        temperature: Divides both; the result is multiplied by its square, so
            that gradients keep their size.
        use_sigmoid: Each class is a question of its own, as with several
            labels; the mean over classes then.

    Returns:
        (N,), >= 0; 0 where both answer alike.
    """
    logits, teacher = (
        x.float() / temperature for x in (logits, teacher.detach())
    )
    if use_sigmoid:
        no = F.logsigmoid(-teacher), F.logsigmoid(-logits)
        yes = F.logsigmoid(teacher), F.logsigmoid(logits)
        both = [t.exp() * (t - own) for t, own in (yes, no)]
        return temperature**2 * (both[0] + both[1]).mean(dim=1)
    own, goal = F.log_softmax(logits, dim=1), F.log_softmax(teacher, dim=1)
    return temperature**2 * (goal.exp() * (goal - own)).sum(dim=1)


@MODELS.register_module()
class DistillationLoss(nn.Module):
    """The repaired logits must answer as the frozen model does, seen clean.

    Args:
        temperature: Above 1, the classes that the model finds unlikely count
            more.
        use_sigmoid: Of heads with several labels.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the temperature is not positive.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        use_sigmoid: bool = False,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f'temperature must be positive: {temperature}')
        self.temperature = temperature
        self.use_sigmoid = use_sigmoid
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Return the weighted mean divergence, a scalar.

        Args:
            logits: (k N, classes), k times the same N images.
            teacher: (N, classes), the frozen model's clean logits.
        """
        with torch.autocast(logits.device.type, enabled=False):
            teacher = teacher.repeat(len(logits) // len(teacher), 1)
            loss = kl_of_logits(
                logits, teacher, self.temperature, self.use_sigmoid
            )
            return self.loss_weight * loss.mean()
