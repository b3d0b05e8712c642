"""The networks of CAM and Hide-and-Seek, up to their last maps (N, C, h, w).

"GAP" is the global average pooling in the head, which replaces the fully
connected layers of AlexNet, GoogLeNet and VGG. We know Zhou et al., "Learning
Deep Features for Discriminative Localization" (CVPR 2016), from reports only.
"""

import re
from collections.abc import Mapping
from itertools import pairwise

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones import VGG
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn
from torchvision.models.googlenet import BasicConv2d, GoogLeNet, Inception

from mmocc.registry import MODELS

INIT = (
    dict(type='Kaiming', layer=['Conv2d']),
    dict(type='Constant', val=1.0, layer=['_BatchNorm']),
)
CHANNELS = dict(
    cam=(96, 256, 384, 384, 384),
    owt=(64, 192, 384, 256, 256),
)
# AlexNet: kernel, padding, if in groups, stride of the pooling after it or 0
LAYERS = (
    (11, 2, False, 2),
    (5, 2, True, 2),
    (3, 1, False, 0),
    (3, 1, True, 0),
    (3, 1, True, 1),
    (3, 1, True, 0),
    (3, 1, True, 0),
)
# The convolutions in torchvision.models.AlexNet.features
TORCHVISION = {
    number: f'conv{index}.conv'
    for index, number in enumerate((0, 3, 6, 8, 10), 1)
}
# ImageNet's, RGB, of values in [0, 1]
MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def rename_features(
    model: nn.Module,
    state_dict: dict[str, Tensor],
    prefix: str,
    layers: Mapping[int, str],
) -> None:
    """Rename torchvision's ``features.N.weight`` and its like, in place.

    mmpretrain's ``features.N.conv.weight`` and its like stay. ``layers`` are
    the names here of torchvision's numbered layers.

    Raises:
        ValueError: If a weight fits no layer here.
    """
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    pattern = re.compile(re.escape(prefix) + r'features\.(\d+)\.(\w+)')
    matches = [m for m in map(pattern.fullmatch, state_dict) if m]
    # All are removed first: an old name can be another's new one.
    weights = {m: state_dict.pop(m[0]) for m in matches}
    for match, weight in weights.items():
        layer = layers.get(int(match[1]))
        new = f'{layer}.{match[2]}'
        if layer is None or weight.shape != shapes.get(new):
            raise ValueError(
                f'{match[0]} {tuple(weight.shape)} of the checkpoint does '
                f'not fit {type(model).__name__}: {new} is '
                f'{tuple(shapes[new]) if new in shapes else "not there"}; '
                'choose the settings of the network that it was trained with'
            )
        state_dict[prefix + new] = weight


@MODELS.register_module()
class AlexNetGAP(BaseBackbone):
    """AlexNet-GAP up to its last map: 11x11 for 224 and for 227 pixels.

    From the papers: two more convolutions of 512 kernels (Zhou et al.); a
    first map of 55x55x96 (Singh and Lee, arXiv 1704.04232).

    From the code (``deploy_alexnetplusCAM_imagenet.prototxt`` of
    metalbubble/CAM): the widths of ``arch='cam'``, with 384 in conv5 where
    AlexNet has 256; pooling before normalisation; pool5 with stride 1; the two
    convolutions are 3x3 with a ReLU each; all except the first and the third
    are in two groups (``groups=2``). Hide-and-Seek's released recipe names
    ``alexnetowtbn``: the widths of ``arch='owt'`` with batch norm.

    Inferred: conv1 pads by 2, as in Torch's networks, so that 224 pixels give
    55x55; ``padding=0`` is Caffe's, for 227 pixels. No groups by default, as
    reported of Hide-and-Seek.

    torchvision's AlexNet loads into ``arch='owt', lrn=False``.

    Args:
        arch: Widths of conv1 to conv5: ``cam`` or ``owt`` ("one weird
            trick", arXiv 1404.5997, torchvision's).
        groups: Groups of conv2, conv4, conv5, conv6 and conv7.
        padding: Of conv1.
        lrn: Local response normalisation after the first two poolings.
        norm_cfg: Norm layer after each convolution.
        out_channels: Channels of conv6 and conv7.
        init_cfg: Initialisation.

    Raises:
        ValueError: If ``arch`` is unknown, or a checkpoint of torchvision
            has other widths.
    """

    def __init__(
        self,
        arch: str = 'cam',
        groups: int = 1,
        padding: int = 2,
        lrn: bool = True,
        norm_cfg: dict | None = None,
        out_channels: int = 512,
        init_cfg: dict | list[dict] | None = [*INIT],
    ) -> None:
        super().__init__(init_cfg)
        if arch not in CHANNELS:
            raise ValueError(f'arch {arch!r} is none of {list(CHANNELS)}')
        widths = pairwise((3, *CHANNELS[arch], out_channels, out_channels))
        layers = zip(widths, LAYERS, strict=True)
        for index, (width, layer) in enumerate(layers, 1):
            kernel, pad, grouped, pool = layer
            conv = ConvModule(
                *width,
                kernel,
                stride=4 if index == 1 else 1,
                padding=padding if index == 1 else pad,
                groups=groups if grouped else 1,
                norm_cfg=norm_cfg,
            )
            self.add_module(f'conv{index}', conv)
            if pool:
                self.add_module(f'pool{index}', nn.MaxPool2d(3, pool))
            if pool == 2 and lrn:
                # Caffe's defaults: alpha 1e-4, beta 0.75, k 1
                self.add_module(f'lrn{index}', nn.LocalResponseNorm(5))

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        rename_features(self, state_dict, prefix, TORCHVISION)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the (N, out_channels, h, w) map of (N, 3, H, W) images."""
        for layer in self.children():
            x = layer(x)
        return (x,)


@MODELS.register_module()
class GoogLeNetGAP(BaseBackbone):
    """GoogLeNet-GAP up to its last map: 14x14 for 224 and for 227 pixels.

    From the papers: a convolution of 1024 kernels, 3x3, stride 1, padding 1
    replaces what follows inception 4e (Zhou et al.); batch norm after each
    convolution (reported of Hide-and-Seek, arXiv 1704.04232).

    From the code (``deploy_googlenetCAM.prototxt`` of metalbubble/CAM): the
    same convolution (``CAM_conv``), in two groups (``groups=2``), and a ReLU.

    Inferred: with batch norm, no local response normalisation (``lrn=True``
    is Caffe's); no groups.

    The layers are torchvision's, and so are their names. Its weights load
    with ``branch_kernel=3``, since it has 3x3 where GoogLeNet has 5x5, and
    need ``transform_input=True``.

    Args:
        branch_kernel: Side of the large kernels of the inception blocks.
        groups: Groups of the added convolution.
        out_channels: Its kernels.
        lrn: Local response normalisation after the first pooling and before
            the second.
        transform_input: Turn images normalised by ImageNet's mean and
            standard deviation (RGB) into the range [-1, 1], on which
            torchvision's weights were trained.
        init_cfg: Initialisation.

    Raises:
        ValueError: If the kernels of a checkpoint have another size.
    """

    def __init__(
        self,
        branch_kernel: int = 5,
        groups: int = 1,
        out_channels: int = 1024,
        lrn: bool = False,
        transform_input: bool = False,
        init_cfg: dict | list[dict] | None = [*INIT],
    ) -> None:
        super().__init__(init_cfg)
        self.transform_input = transform_input
        whole = GoogLeNet(aux_logits=False, init_weights=False)
        for name, layer in whole.named_children():
            if isinstance(layer, Inception):
                old = layer.branch3[1].conv
                layer.branch3[1] = BasicConv2d(
                    old.in_channels,
                    old.out_channels,
                    kernel_size=branch_kernel,
                    padding=branch_kernel // 2,
                )
            self.add_module(name, layer)
            if lrn and name in ('maxpool1', 'conv3'):
                # Caffe's defaults, as in AlexNetGAP
                self.add_module(f'lrn_{name}', nn.LocalResponseNorm(5))
            if name == 'inception4e':
                break
        self.cam_conv = BasicConv2d(
            832, out_channels, kernel_size=3, padding=1, groups=groups
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        name = 'inception3a.branch3.1.conv.weight'
        theirs = state_dict.get(prefix + name)
        ours = self.get_parameter(name)
        if theirs is not None and theirs.shape != ours.shape:
            raise ValueError(
                f'{prefix}{name} of the checkpoint is {tuple(theirs.shape)}, '
                f'in GoogLeNetGAP {tuple(ours.shape)}: set '
                f'branch_kernel={theirs.shape[-1]} to use its weights'
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the (N, out_channels, h, w) map of (N, 3, H, W) images."""
        if self.transform_input:
            mean, std = x.new_tensor(MEAN_STD)[..., None, None]
            x = (x * std + mean) * 2 - 1
        for layer in self.children():
            x = layer(x)
        return (x,)


@MODELS.register_module()
class VGGGAP(VGG):
    """VGG-GAP up to its last map: 14x14 for 224 pixels.

    From the paper (Zhou et al.): a convolution of 1024 kernels, 3x3, replaces
    what follows conv5-3. From the code (clovaai/wsolevaluation): the same
    with padding 1, a ReLU and no groups, and 28x28 maps on request, without
    the fourth pooling. Hide-and-Seek itself has no VGG.

    Weights of mmpretrain's VGG load by ``prefix='backbone.'``, those of
    torchvision's ``vgg16`` (and ``vgg16_bn``, with ``norm_cfg``) as they are.

    Args:
        depth: 11, 13, 16 or 19.
        out_channels: Kernels of the added convolution.
        groups: Its groups; 2 in Caffe's networks of the kind.
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
        groups: int = 1,
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
        norm_cfg = kwargs.get('norm_cfg')
        self.conv6 = ConvModule(
            self.in_channels,
            out_channels,
            3,
            padding=1,
            groups=groups,
            norm_cfg=norm_cfg,
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
