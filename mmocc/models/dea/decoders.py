"""Networks that redraw objects from their features.

``FCDecoder`` is DEA's own (HAL hal-03409930, section III-B)::

    RoI (n, 1024, k, k) -> average pool -> 1024 -> 2048 -> ReLU
    -> 4096 -> ReLU -> 16384 -> sigmoid -> (n, 1, 128, 128)

``ConvDecoder`` keeps the layout of the RoI, with a two-hundredth of the
parameters; each step trades channels for pixels (arXiv 1609.05158)::

    RoI (n, 256, 8, 8) -> stride 2 -> 40 at 8 -> 16 at 16 -> 8 at 32
    -> 4 at 64 -> (n, 1, 128, 128)
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.models.dea.anomaly_scores import mse, ssim
from mmocc.models.dea.exporting import is_exporting
from mmocc.registry import MODELS

LOSSES = ('mse', 'bce', 'ssim')


class BaseDecoder(BaseModule):
    """Base of the decoders: size, range and loss of the pictures.

    Subclasses set ``layers``, from (n, in_channels, k, k) to pictures.

    Args:
        size: Height and width of the pictures.
        channels: 1 for grey pictures, 3 for RGB.
        loss: ``mse`` (the paper's), ``bce`` binary cross-entropy, or ``ssim``:
            1 - :func:`mmocc.models.dea.anomaly_scores.ssim`.
        loss_weight: Factor of the loss.
        init_cfg: As in mmengine's BaseModule.

    Raises:
        ValueError: If the channels or the loss are unknown.
    """

    at_once = 512  # objects to redraw at a time, which bounds the memory
    at_once_cpu = 512

    def __init__(
        self,
        size: int,
        channels: int = 1,
        loss: str = 'mse',
        loss_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
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
        """Redraw (n, in_channels, k, k) as (n, channels, size, size)."""
        if not is_exporting() and not len(x):
            # PyTorch's pixel shuffle has no gradient of nothing, but
            # DistributedDataParallel waits for one of every parameter.
            unused = x.sum() + sum(p.sum() for p in self.parameters())
            shape = 0, self.channels, self.size, self.size
            return x.new_zeros(shape) + 0 * unused
        return self.layers(x)

    def loss(self, recon: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss, weighted; 0 with gradient without objects.

        ValueError if the shapes differ.
        """
        if recon.shape != target.shape:
            raise ValueError(
                f'the decoder gives pictures {tuple(recon.shape)}, but the '
                f"target is {tuple(target.shape)}: set the decoder's "
                '"size" and "channels" to those of the target'
            )
        with torch.autocast(recon.device.type, enabled=False):
            wide = torch.promote_types(recon.dtype, torch.float32)
            recon, target = recon.to(wide), target.to(wide)
            if not len(recon):
                return recon.sum()
            if self.loss_name == 'ssim':
                value = (1 - ssim(recon, target)).mean()
            elif self.loss_name == 'bce':
                value = F.binary_cross_entropy(recon, target)
            else:
                value = mse(recon, target).mean()
            return self.loss_weight * value


@MODELS.register_module()
class FCDecoder(BaseDecoder):
    """Redraw objects from the average of their features.

    The defaults are the paper's: 77,617,152 parameters.

    Args:
        in_channels: Channels of the RoI features.
        hidden: Widths of the layers between.
        size: Height and width of the pictures.
        kwargs: Of :class:`BaseDecoder`.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        hidden: tuple[int, ...] = (2048, 4096),
        size: int = 128,
        **kwargs,
    ) -> None:
        super().__init__(size, **kwargs)
        self.in_channels = in_channels
        widths = [in_channels, *hidden]
        layers = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), nn.ReLU(inplace=True)]
        shape = self.channels, size, size
        layers += [
            nn.Linear(widths[-1], math.prod(shape)),
            nn.Sigmoid(),
            nn.Unflatten(1, shape),
        ]
        self.layers = nn.Sequential(*layers)


class FewChannelsShuffle(nn.PixelShuffle):
    """PixelShuffle; 2.6 times as fast for 4 channels on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Bring (n, 4 * C, h, w) to (n, C, 2 * h, 2 * w)."""
        x = x.unflatten(1, (-1, 2, 2)).permute(0, 1, 4, 2, 5, 3)
        return x.flatten(4, 5).flatten(2, 3)


@MODELS.register_module()
class ConvDecoder(BaseDecoder):
    """Redraw objects from their feature maps by sub-pixel convolutions.

    Each step is a 3x3 convolution, the first of stride 2, a pixel shuffle
    that doubles height and width, and a ReLU; the last ends in a sigmoid.
    By default 397,860 parameters, 14 million multiplications an object.

    Args:
        in_channels: Channels of the RoI features.
        roi_size: Height and width of the RoI features, even.
        widths: Channels after each step except the last.
        init_cfg: As in mmengine's BaseModule; the default suits ReLU.
        kwargs: Of :class:`BaseDecoder`, except ``size``.

    Raises:
        ValueError: If ``roi_size`` is odd, or differs from the features'.
    """

    at_once_cpu = 48  # their maps stay in the cache: a fifth less time

    def __init__(
        self,
        in_channels: int = 256,
        roi_size: int = 8,
        widths: tuple[int, ...] = (40, 16, 8, 4),
        init_cfg: dict | list[dict] | None = dict(
            type='Kaiming', layer='Conv2d'
        ),
        **kwargs,
    ) -> None:
        if roi_size % 2:
            raise ValueError(f'roi_size must be even, got {roi_size}')
        size = roi_size * 2 ** len(widths)
        super().__init__(size, init_cfg=init_cfg, **kwargs)
        self.in_channels = in_channels
        self.roi_size = roi_size
        steps = []
        below, stride = in_channels, 2
        for above in (*widths, self.channels):
            steps += [
                nn.Conv2d(below, 4 * above, 3, stride, padding=1),
                nn.PixelShuffle(2),
                nn.ReLU(inplace=True),
            ]
            below, stride = above, 1
        self.layers = nn.Sequential(
            *steps[:-2], FewChannelsShuffle(2), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Redraw objects, as the base does."""
        if x.shape[-2:] != (self.roi_size, self.roi_size):
            raise ValueError(
                f'ConvDecoder(roi_size={self.roi_size}) got features of '
                f"{tuple(x.shape[-2:])}: set the RoI extractor's "
                'output_size and roi_size to the same value'
            )
        # A third faster on a CPU than channel after channel.
        return super().forward(x.contiguous(memory_format=torch.channels_last))
