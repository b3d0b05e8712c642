"""GoogLeNet cut after inception 4e, with one convolution more."""

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor
from torchvision.models.googlenet import BasicConv2d, GoogLeNet, Inception

from mmocc.registry import MODELS

LAST, LAST_CHANNELS = 'inception4e', 832
# ImageNet's, RGB, of values in [0, 1]
MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@MODELS.register_module()
class GoogLeNetGAP(BaseBackbone):
    """GoogLeNet-GAP up to its last map: 14x14 for 224 and for 227 pixels.

    From the paper (Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016; as it is reported, its text was not at hand):
    what follows inception 4e is removed, and a convolution of 1024 kernels,
    3x3, stride 1, padding 1 comes instead. Likewise of Hide-and-Seek (arXiv
    1704.04232): batch norm after each convolution.

    From the code (``deploy_googlenetCAM.prototxt`` of metalbubble/CAM): the
    same convolution (``CAM_conv``), in two groups (``groups=2``), and a ReLU.

    Inferred: with batch norm, no local response normalisation; no groups.

    The layers are torchvision's, and so are their names. Its weights load
    with ``branch_kernel=3``, since it has 3x3 where GoogLeNet has 5x5, and
    need ``transform_input=True``.

    Args:
        branch_kernel: Side of the large kernels of the inception blocks.
        groups: Groups of the added convolution.
        out_channels: Its kernels.
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
        transform_input: bool = False,
        init_cfg: dict | list[dict] | None = [
            dict(type='Kaiming', layer=['Conv2d']),
            dict(type='Constant', val=1.0, layer=['_BatchNorm']),
        ],
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
            if name == LAST:
                break
        self.cam_conv = BasicConv2d(
            LAST_CHANNELS,
            out_channels,
            kernel_size=3,
            padding=1,
            groups=groups,
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
