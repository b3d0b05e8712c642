"""VGG whose last pooling and FC layers are one convolution: VGG-GAP."""

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones import VGG
from torch import Tensor, nn

from mmocc.models.hide_and_seek.torchvision_features import rename_features
from mmocc.registry import MODELS


@MODELS.register_module()
class VGGGAP(VGG):
    """VGG-GAP up to its last map: 14x14 for 224 pixels.

    From the paper (Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016; as it is reported, its text was not at hand):
    what follows conv5-3 is removed, and a convolution of 1024 kernels, 3x3,
    comes instead. From the code (clovaai/wsolevaluation): the same with
    padding 1, a ReLU and no groups, and 28x28 maps on request, by leaving out
    the fourth pooling. Hide-and-Seek itself has no VGG.

    Weights of mmpretrain's VGG load by ``prefix='backbone.'``, those of
    torchvision's ``vgg16`` (and ``vgg16_bn``, with ``norm_cfg``) as they are.

    Args:
        depth: 11, 13, 16 or 19.
        out_channels: Kernels of the added convolution.
        large_maps: Leave out the last but one pooling too, for maps of twice
            the side.
        **kwargs: Of ``mmpretrain.VGG`` (``norm_cfg``, ``frozen_stages``,
            ``num_stages`` with as many ``dilations``, ``init_cfg``, ...).

    Raises:
        ValueError: If a checkpoint of torchvision has other layers.
    """

    def __init__(
        self,
        depth: int = 16,
        out_channels: int = 1024,
        large_maps: bool = False,
        **kwargs,
    ) -> None:
        last = kwargs.get('num_stages', 5) - 1
        super().__init__(
            depth, out_indices=(last,), with_last_pool=False, **kwargs
        )
        if large_maps:
            _, last_pool = self.range_sub_modules[-2]
            self.features[last_pool - 1] = nn.Identity()
        self.conv6 = ConvModule(
            self.in_channels,
            out_channels,
            3,
            padding=1,
            norm_cfg=kwargs.get('norm_cfg'),
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        rename_features(self, state_dict, prefix, self._torchvision_layers())
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _torchvision_layers(self) -> dict[int, str]:
        """Return our names of the layers that torchvision numbers."""
        names, number = {}, 0
        for index, layer in enumerate(self.features):
            if not isinstance(layer, ConvModule):
                number += 1  # pooling
                continue
            parts = ['conv', 'bn'][: 1 + layer.with_norm]
            for part in parts:
                names[number] = f'features.{index}.{part}'
                number += 1
            number += 1  # ReLU
        return names

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the (N, out_channels, h, w) map of (N, 3, H, W) images."""
        (x,) = super().forward(x)
        return (self.conv6(x),)
