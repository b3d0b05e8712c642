"""Discriminators of redrawn pictures: by patches, and by features.

Latent-OFER (arXiv 2307.11404) trains its redrawing against both and describes
neither; these have the sizes of its released code: a 70 x 70 PatchGAN (Isola
et al., arXiv 1611.07004), and one on a trained network's features (Park et
al., SRFeat, ECCV 2018).
"""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS

# Of GANs since DCGAN.
INIT = dict(type='Normal', layer='Conv2d', std=0.02)


@MODELS.register_module()
class PatchDiscriminator(BaseModule):
    """Score overlapping patches of pictures.

    With the defaults 2,766,529 parameters and fields of 70 x 70 pixels::

        (N, 3, H, W) -> 64 -> 128 -> 256, each of stride 2 -> 512 -> 1

    Args:
        in_channels: Channels of the pictures.
        channels: Channels after the first convolution; they double with each
            one, up to eight times as many.
        strided: Number of convolutions of stride 2.
        init_cfg: As in mmengine's BaseModule.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: int = 64,
        strided: int = 3,
        init_cfg: dict | list[dict] | None = INIT,
    ) -> None:
        super().__init__(init_cfg)
        layers = [nn.Conv2d(in_channels, channels, 4, 2, 1)]
        below = channels
        for number in range(1, strided + 1):
            above = channels * min(2**number, 8)
            stride = 2 if number < strided else 1
            layers += [
                nn.LeakyReLU(0.2),
                nn.Conv2d(below, above, 4, stride, 1),
                nn.InstanceNorm2d(above, affine=True),
            ]
            below = above
        last = nn.Conv2d(below, 1, 4, 1, 1)
        self.layers = nn.Sequential(*layers, nn.LeakyReLU(0.2), last)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N, 1, h, w), without a sigmoid."""
        return self.layers(images)


@MODELS.register_module()
class FeaturePatchDiscriminator(BaseModule):
    """Score patches of a trained network's feature maps.

    With the defaults 10,487,296 parameters, for relu3_3 of VGG-16; three
    convolutions of stride 2.

    Args:
        in_channels: Channels of the features.
        channels: Channels of each convolution.
        init_cfg: As in mmengine's BaseModule.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 512,
        init_cfg: dict | list[dict] | None = INIT,
    ) -> None:
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 4, 2, 1),
            nn.InstanceNorm2d(channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 4, 2, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return scores (N, channels, h, w), without a sigmoid."""
        return self.layers(features)
