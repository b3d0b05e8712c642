"""The U-Net of Latent-OFER's reconstruction, with self-assembly.

arXiv 2307.11404, section 3.2, says no more than that; layers and widths are
those of the released code::

    coarse in the hole | masked    6 x H x W, and its mirror image: 12
      stem        128 x H      ------------------ skip 64 ---> 3 x H
      down 1      256 x H/2    ----------------- skip 128 ---> up 1
      down 2      512 x H/4    ----------------- skip 256 ---> up 2
      down 3   512 + 512 x H/8 -> self-assembly, skip 512 ---> up 3
      down 4-8    512 x H/16 ... H/256  -------- skip 512 ---> up 4-8

The last convolution before self-assembly gives twice the channels. The second
half must be the features of the mirrored image, but nothing in the released
code ensures this. Here it is flipped left to right and starts with the weights
of the first half, so it begins as the mirrored feature map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS

# A position is hidden if more of its pixels are; the number of the released
# code, which compares it with a wider, weighted mean.
HIDDEN_SHARE = 5 / 16


class Reconstruction(NamedTuple):
    """What the U-Net gives.

    Attributes:
        recon: (N, 3, H, W) picture, everywhere, in the images' space.
        assembled: (N, C, h, w), the self-assembled features.
        decoded: (N, C', h, w), the decoder's features of the same size.
        hole: (N, 1, h, w) bool, True where these are hidden.
    """

    recon: Tensor
    assembled: Tensor
    decoded: Tensor
    hole: Tensor


class _Down(nn.Sequential):
    """Halve the size: two convolutions, each with an instance norm."""

    def __init__(self, below: int, above: int, doubled: bool) -> None:
        layers = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(below, below, 4, 2, padding=3, dilation=2),
            nn.InstanceNorm2d(below, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(below, above * (1 + doubled), 3, padding=1),
        ]
        # Self-assembled features are normalised afterwards.
        norm = [] if doubled else [nn.InstanceNorm2d(above, affine=True)]
        super().__init__(*layers, *norm)


class _Up(nn.Sequential):
    """Double the size: two convolutions, each with an instance norm."""

    def __init__(self, below: int, above: int, innermost: bool) -> None:
        first = [
            nn.ReLU(),
            nn.ConvTranspose2d(below, above, 3, 1, 1),
            nn.InstanceNorm2d(above, affine=True),
        ]
        super().__init__(
            *([] if innermost else first),
            nn.ReLU(),
            nn.ConvTranspose2d(above, above, 4, 2, 1),
            nn.InstanceNorm2d(above, affine=True),
        )


@MODELS.register_module()
class HybridUNet(BaseModule):
    """Reconstruct the hole of a coarsely filled picture.

    The defaults are the released code's size: 86,479,363 parameters, for
    sides that are multiples of 256.

    Args:
        widths: Channels after the stem and after each halving.
        assembly_level: Number of halvings before self-assembly. Skips before
            it carry the first half of their channels.
        assembly: Config of ``mmocc.SelfAssembly``; its mode ``release`` gets
            the second half unflipped. None: a plain convolution with half
            the channels.
        init_cfg: As in mmengine's BaseModule.

    Raises:
        ValueError: If a level does not exist, or a width cannot be halved;
            while running, if the sides are not multiples of the stride.
    """

    def __init__(
        self,
        widths: Sequence[int] = (128, 256, *[512] * 7),
        assembly_level: int = 3,
        assembly: dict | None = dict(type='mmocc.SelfAssembly'),
        init_cfg: dict | list[dict] | None = dict(
            type='Normal', layer=['Conv2d', 'ConvTranspose2d'], std=0.02
        ),
    ) -> None:
        super().__init__(init_cfg)
        self.levels = len(widths) - 1
        if not 0 < assembly_level < self.levels:
            raise ValueError(
                f'assembly_level={assembly_level}: {len(widths)} widths make '
                f'the levels 1 to {self.levels - 1}, and an innermost one'
            )
        if any(width % 2 for width in widths[:assembly_level]):
            raise ValueError(
                f'widths={tuple(widths)}: those of the first '
                f'{assembly_level} maps are halved, and must be even'
            )
        self.assembly_level = assembly_level
        self.assembly = assembly and MODELS.build(assembly)
        self.skips = [
            width // 2 if level < assembly_level else width
            for level, width in enumerate(widths[:-1])
        ]
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, skip in enumerate(self.skips, 1):
            below, above = widths[level - 1], widths[level]
            innermost = level == self.levels
            if innermost:
                conv = nn.Conv2d(below, above, 4, 2, 1)
                self.downs.append(nn.Sequential(nn.LeakyReLU(0.2), conv))
            else:
                doubled = level == assembly_level and self.assembly is not None
                self.downs.append(_Down(below, above, doubled))
            inner = above if innermost else 2 * self.skips[level]
            self.ups.append(_Up(inner, skip, innermost))
        if self.assembly is not None:
            self.norm = nn.InstanceNorm2d(widths[assembly_level], affine=True)
        self.last = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * self.skips[0], 3, 3, 1, 1)
        )

    @property
    def stride(self) -> int:
        """Sides of pictures are multiples of it."""
        return 2**self.levels

    def init_weights(self) -> None:
        """Initialise; both halves before self-assembly start equal."""
        super().init_weights()
        if self.assembly is not None and self.assembly.mode == 'paper':
            conv = self.downs[self.assembly_level - 1][-1]
            with torch.no_grad():
                for tensor in (conv.weight, conv.bias):
                    first, second = tensor.chunk(2)
                    second.copy_(first)

    def forward(
        self, filled: Tensor, masked: Tensor, hole: Tensor
    ) -> Reconstruction:
        """Reconstruct pictures.

        Args:
            filled: (N, 3, H, W) with coarse content in the hole.
            masked: (N, 3, H, W) with nothing in the hole.
            hole: (N, 1, H, W), 1 or True is hidden.
        """
        height, width = filled.shape[-2:]
        if height % self.stride or width % self.stride:
            raise ValueError(
                f'HybridUNet got pictures of {height} x {width} (h x w): its '
                f'{len(self.downs)} halvings need multiples of {self.stride}; '
                "set the reconstructor's size to one, or choose fewer widths"
            )
        both = torch.cat([filled, masked], 1)
        x = self.stem(torch.cat([both, both.flip(-1)], 1))
        skips, assembled = [], None
        for level, down in enumerate(self.downs, 1):
            skips.append(x[:, : self.skips[level - 1]])
            x = down(x)
            if level == self.assembly_level:
                share = F.adaptive_avg_pool2d(hole.float(), x.shape[-2:])
                holes = share > HIDDEN_SHARE
                assembled, x = self._assemble(x, holes)
        decoded = None
        for level in range(self.levels, 0, -1):
            x = self.ups[level - 1](x)
            if level == self.assembly_level + 1:
                decoded = x
            skip = skips[level - 1]
            x = torch.cat([x, skip.to(x.dtype)], 1)
        return Reconstruction(self.last(x), assembled, decoded, holes)

    def _assemble(self, x: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
        """Return the self-assembled map, and the input of the next level."""
        if self.assembly is None:
            return x, x
        feature, mirrored = x.chunk(2, 1)
        if self.assembly.mode == 'paper':
            mirrored = mirrored.flip(-1)
        assembled = self.assembly(feature, mirrored, hole)
        return assembled, self.norm(assembled)
