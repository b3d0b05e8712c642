"""Attention of Latent-OFER's recognition: channels first, then positions.

Lee et al., "Latent-OFER", arXiv 2307.11404, names spatial and channel
attention after CBAM (arXiv 1807.06521); the layers are those of the authors'
release, which puts the channels first.
"""

from typing import NamedTuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS


class AttendedMap(NamedTuple):
    """A feature map seen with attention.

    Attributes:
        feature: (N, C, h, w) features times both attentions.
        attention: (N, h, w) weights of the positions, 0 or more.
    """

    feature: Tensor
    attention: Tensor


@MODELS.register_module()
class ChannelSpatialAttention(BaseModule):
    """One head of attention.

    With 512 channels it has 2,135,904 parameters, as the release's. The
    weight of a position is a sum of rectified channels, so it is not bounded
    above.

    Args:
        in_channels: Channels C of the feature map.
        reduction: C over the width of the channel attention.
        init_cfg: Initialization.
    """

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        squeezed, inner = max(in_channels // reduction, 1), in_channels // 2
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(in_channels, squeezed),
            nn.BatchNorm1d(squeezed),
            nn.ReLU(),
            nn.Linear(squeezed, in_channels),
            nn.Sigmoid(),
        )
        self.reduce = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1), nn.BatchNorm2d(inner)
        )
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inner, in_channels, size, padding='same'),
                nn.BatchNorm2d(in_channels),
            )
            for size in ((3, 3), (1, 3), (3, 1))
        )

    def forward(self, feature: Tensor) -> AttendedMap:
        """Attend to a map (N, C, h, w); in training, N is 2 or more."""
        feature = feature * self.channel(feature)[..., None, None]
        reduced = self.reduce(feature)
        summed = sum(branch(reduced) for branch in self.branches)
        attention = summed.relu().sum(dim=1)
        return AttendedMap(feature * attention[:, None], attention)
