"""DEA's own decoder: three fully connected layers.

Khan, Emonet, Fournel, HAL hal-03409930, section III-B, and its web page,
which lists the second layer twice:

    RoI (n, 1024, k, k) -> average pool -> 1024 -> 2048 -> ReLU
    -> 4096 -> ReLU -> 16384 -> sigmoid -> (n, 1, 128, 128)
"""

from itertools import pairwise

from torch import nn

from mmocc.models.dea.base_decoder import BaseDecoder
from mmocc.registry import MODELS


@MODELS.register_module()
class FCDecoder(BaseDecoder):
    """Redraw objects from the average of their features.

    The defaults are the paper's: 77,617,152 parameters, three times those of
    SSD300. The RoI's layout survives only as far as 1024 numbers hold it.

    Args:
        in_channels: Channels of the RoI features.
        hidden: Widths of the layers between.
        channels: 1 for grey pictures, 3 for RGB.
        size: Height and width of the pictures.
        loss: ``mse``, ``bce`` or ``ssim``.
        loss_weight: Factor of the loss.
        init_cfg: As in mmengine's BaseModule.

    Raises:
        ValueError: If the channels or the loss are none of these.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        hidden: tuple[int, ...] = (2048, 4096),
        channels: int = 1,
        size: int = 128,
        loss: str = 'mse',
        loss_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(channels, size, loss, loss_weight, init_cfg)
        self.in_channels = in_channels
        widths = [in_channels, *hidden]
        layers = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), nn.ReLU(inplace=True)]
        pixels = channels * size * size
        layers += [nn.Linear(widths[-1], pixels), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)
