"""InceptionV3-CAM, the third standard network of localization without boxes.

After clovaai/wsolevaluation (``wsol/inception.py``), which has it from SPG
(Zhang et al., ECCV 2018). The layers are torchvision's, and so are their
names.
"""

import torch
import torch.nn.functional as F
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn
from torchvision.models.inception import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
)

from mmocc.registry import MODELS

NEW_LAYERS = ('SPG_A3_1b', 'SPG_A3_2b')


class WideInceptionB(InceptionB):
    """Mixed_6a with stride 1: the map keeps its size."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        for layer in (self.branch3x3, self.branch3x3dbl_3):
            layer.conv.stride, layer.conv.padding = (1, 1), (1, 1)
        self.pool = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (N, 768, h, w) of (N, 288, h, w)."""
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        double = self.branch3x3dbl_3(double)
        return torch.cat([self.branch3x3(x), double, self.pool(x)], dim=1)


@MODELS.register_module()
class InceptionV3CAM(BaseBackbone):
    """InceptionV3-CAM up to its last map: 14x14 for 224 pixels.

    InceptionV3 until Mixed_6e, then two convolutions of 1024 kernels, 3x3,
    with a ReLU each. As in the reference: the first convolution and the
    poolings pad by 1; Mixed_6a keeps the size, and a pooling before it halves
    the map, except with ``large_maps``; dropout of 0.5 on the map before each
    new convolution and after the last one. The reference's last layer, a 1x1
    convolution to the classes whose maps are averaged, is ``mmocc.CAMHead``:
    the scores are equal, and the maps but for the class's bias, which boxes
    do not see.

    torchvision's ``inception_v3`` loads as it is; its later layers are not
    used. The reference normalises images by ImageNet's mean and standard
    deviation with these weights, and so do the configs.

    Args:
        large_maps: Leave out the pooling before Mixed_6a: maps of twice the
            side (28x28).
        dropout: Probability, of each number in the maps.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        large_maps: bool = False,
        dropout: float = 0.5,
        init_cfg: dict | list[dict] | None = [
            dict(type='Xavier', layer='Conv2d'),
            dict(type='Constant', val=1.0, layer='_BatchNorm'),
        ],
    ) -> None:
        super().__init__(init_cfg)
        self.dropout = dropout
        self.Conv2d_1a_3x3 = BasicConv2d(
            3, 32, kernel_size=3, stride=2, padding=1
        )
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.Mixed_5b = InceptionA(192, pool_features=32)
        self.Mixed_5c = InceptionA(256, pool_features=64)
        self.Mixed_5d = InceptionA(288, pool_features=64)
        if not large_maps:
            self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.Mixed_6a = WideInceptionB(288)
        self.Mixed_6b = InceptionC(768, channels_7x7=128)
        self.Mixed_6c = InceptionC(768, channels_7x7=160)
        self.Mixed_6d = InceptionC(768, channels_7x7=160)
        self.Mixed_6e = InceptionC(768, channels_7x7=192)
        for name, channels in zip(NEW_LAYERS, (768, 1024), strict=True):
            conv = nn.Conv2d(channels, 1024, 3, padding=1)
            self.add_module(name, nn.Sequential(conv, nn.ReLU(True)))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the (N, 1024, h, w) map of (N, 3, H, W) images."""
        for name, layer in self.named_children():
            if name in NEW_LAYERS:
                x = F.dropout(x, self.dropout, self.training)
            x = layer(x)
        return (F.dropout(x, self.dropout, self.training),)
