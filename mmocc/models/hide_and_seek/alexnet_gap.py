"""AlexNet whose fully connected layers are two convolutions: AlexNet-GAP."""

from mmcv.cnn import ConvModule
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from mmocc.models.hide_and_seek.torchvision_features import rename_features
from mmocc.registry import MODELS

CHANNELS = dict(
    cam=(96, 256, 384, 384, 384),
    owt=(64, 192, 384, 256, 256),
)
# kernel, padding, whether in groups, stride of the pooling behind (0: none)
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


@MODELS.register_module()
class AlexNetGAP(BaseBackbone):
    """AlexNet-GAP up to its last map: 11x11 for 224 and for 227 pixels.

    From the papers: no fully connected layers, and two convolutions of 512
    kernels in their place (Zhou et al., "Learning Deep Features for
    Discriminative Localization", CVPR 2016; as it is reported, its text was
    not at hand); a first map of 55x55x96 (Singh and Lee, arXiv 1704.04232).

    From the code (``deploy_alexnetplusCAM_imagenet.prototxt`` of
    metalbubble/CAM): the widths of ``arch='cam'``, with 384 in conv5 where
    AlexNet has 256; pooling before normalisation; pool5 with stride 1; the two
    convolutions are 3x3 with a ReLU each; all but the first and the third
    are in two groups (``groups=2``). Hide-and-Seek's released recipe names
    ``alexnetowtbn``: the widths of ``arch='owt'`` with batch norm.

    Inferred: conv1 pads by 2, as Torch's networks do, so that 224 pixels give
    55x55 (Caffe's needs 227 without padding); ``groups=1`` by default, as
    Hide-and-Seek is reported to use no groups.

    torchvision's AlexNet loads into ``arch='owt', lrn=False``.

    Args:
        arch: Widths of conv1 to conv5: ``cam`` or ``owt`` ("one weird
            trick", arXiv 1404.5997, torchvision's).
        groups: Groups of conv2, conv4, conv5, conv6 and conv7.
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
        lrn: bool = True,
        norm_cfg: dict | None = None,
        out_channels: int = 512,
        init_cfg: dict | list[dict] | None = [
            dict(type='Kaiming', layer=['Conv2d']),
            dict(type='Constant', val=1.0, layer=['_BatchNorm']),
        ],
    ) -> None:
        super().__init__(init_cfg)
        if arch not in CHANNELS:
            raise ValueError(f'arch {arch!r} is none of {list(CHANNELS)}')
        widths = (3, *CHANNELS[arch], out_channels, out_channels)
        for index, (kernel, padding, grouped, pool) in enumerate(LAYERS, 1):
            conv = ConvModule(
                widths[index - 1],
                widths[index],
                kernel,
                stride=4 if index == 1 else 1,
                padding=padding,
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
