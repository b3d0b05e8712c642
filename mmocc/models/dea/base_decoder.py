"""What decoders have in common: the loss of a redrawing."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmocc.models.dea.anomaly_scores import mse, ssim

LOSSES = ('mse', 'bce', 'ssim')


class BaseDecoder(BaseModule):
    """Base of the networks that redraw objects.

    Subclasses give ``layers``, from (n, in_channels, k, k) to pictures.

    Args:
        channels: 1 for grey pictures, 3 for RGB.
        size: Height and width of the pictures.
        loss: ``mse`` mean squared difference (the paper's), ``bce`` binary
            cross-entropy, for pictures of ink and paper, or ``ssim``:
            1 - :func:`mmocc.models.dea.anomaly_scores.ssim`.
        loss_weight: Factor of the loss.
        init_cfg: As in mmengine's BaseModule.

    Raises:
        ValueError: If the channels or the loss are none of these.
    """

    at_once = 512  # objects to redraw at a time, which bounds the memory
    at_once_cpu = 512

    def __init__(
        self,
        channels: int,
        size: int,
        loss: str,
        loss_weight: float,
        init_cfg: dict | list[dict] | None,
    ) -> None:
        super().__init__(init_cfg)
        if channels not in (1, 3):
            raise ValueError(
                f'channels must be 1 (grey) or 3 (RGB), got {channels}'
            )
        if loss not in LOSSES:
            raise ValueError(f'unknown loss {loss!r}; choose from {LOSSES}')
        self.channels = channels
        self.size = size
        self.loss_name = loss
        self.loss_weight = loss_weight

    def forward(self, x: Tensor) -> Tensor:
        """Redraw objects.

        Args:
            x: (n, in_channels, k, k); n may be 0.

        Returns:
            (n, channels, size, size) in [0, 1].
        """
        shape = len(x), self.channels, self.size, self.size
        if not len(x):
            # PyTorch's pixel shuffle has no gradient of nothing, but every
            # parameter shall have one (DistributedDataParallel waits for it).
            unused = x.sum() + sum(p.sum() for p in self.parameters())
            return x.new_zeros(shape) + 0 * unused
        return self.layers(x).reshape(shape)

    def loss(self, recon: Tensor, target: Tensor) -> Tensor:
        """Return the weighted loss, a mean over objects and pixels.

        Args:
            recon: (n, channels, size, size) in [0, 1]; n may be 0.
            target: Pictures of the same shape.

        Returns:
            A scalar; 0 with gradient if there is no object.

        Raises:
            ValueError: If the target is of another shape.
        """
        if recon.shape != target.shape:
            raise ValueError(
                f'the decoder gives pictures {tuple(recon.shape)}, but the '
                f"target is {tuple(target.shape)}: set the decoder's "
                '"size" and "channels" to those of the target'
            )
        with torch.autocast(recon.device.type, enabled=False):
            recon, target = recon.float(), target.float()
            if not len(recon):
                return recon.sum()
            if self.loss_name == 'ssim':
                value = (1 - ssim(recon, target)).mean()
            elif self.loss_name == 'bce':
                value = F.binary_cross_entropy(recon, target)
            else:
                value = mse(recon, target).mean()
            return self.loss_weight * value
