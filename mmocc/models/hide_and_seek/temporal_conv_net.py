"""The network of Hide-and-Seek for actions in time."""

from itertools import pairwise

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from mmocc.registry import MODELS


@MODELS.register_module()
class TemporalConvNet(BaseBackbone):
    """1x1 convolutions over the frames of a sequence, for class maps in time.

    Hide-and-Seek's network for action localization (arXiv 1704.04232,
    section 4.3) is reported to be two such layers of 500 kernels, global max
    pooling and softmax: ``mmocc.CAMHead(pool='max', maps=['all'])`` does the
    rest.

    Args:
        in_channels: Length of a feature.
        channels: Kernels of each layer.
        num_layers: Number of layers, each with a ReLU.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 500,
        num_layers: int = 2,
        init_cfg: dict | None = dict(type='Kaiming', layer='Conv2d'),
    ) -> None:
        super().__init__(init_cfg)
        widths = [in_channels] + [channels] * num_layers
        self.layers = nn.Sequential(
            *(ConvModule(*width, 1) for width in pairwise(widths))
        )

    def forward(self, features: Tensor) -> tuple[Tensor]:
        """Return maps (N, channels, T, 1) of features (N, in_channels, T, 1).

        Raises:
            ValueError: If the features have another shape.
        """
        channels = self.layers[0].in_channels
        if features.ndim != 4 or features.shape[1] != channels:
            raise ValueError(
                f'mmocc.TemporalConvNet needs (N, {channels}, T, 1), got '
                f'{tuple(features.shape)}'
            )
        return (self.layers(features),)
