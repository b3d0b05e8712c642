"""LEARN: an autoencoder that repairs the features of occluded images.

A re-implementation, from the abstract and summaries, of Kotwal, Deshmukh and
Gopal, "Latent Enhancing AutoEncoder for Occluded Image Classification", ICIP
2024, arXiv 2402.06936; no official code exists. Known from the paper: kernel
3, the encoder's channels 64-64-32, ReLU and pooling between the convolutions,
and the mirrored decoder of transposed convolutions. Not known, and options
here: kind and stride of pooling, padding and the last activation.

    frozen backbone            LEARN                            frozen head
    x (N, C, H, W) --encode--> z (N, 32, h, w) --decode--> x' (N, C, H, W)
                    conv64 ReLU pool              deconv64 ReLU
                    conv64 ReLU pool              deconv64 ReLU
                    conv32                        deconvC

In training the clean image's x is the target of the occluded image's x'.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.models.feature_maps import (
    Back,
    Size,
    feature_to_map,
    last_feature,
    replace_last,
)
from mmocc.registry import MODELS

GATES = ('full', 'cell', 'low_rank')
POOLS = {'max': F.max_pool2d, 'avg': F.avg_pool2d, 'none': None}


class Deconv(nn.ConvTranspose2d):
    """A 3x3 transposed convolution to a map of a given size.

    A module, so that hooks (as those of CAM) see its output.
    """

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the map of (H, W) ``size``.

        A side either stays (stride 1) or undoes a halving: 2 n + 1 needs no
        padding at stride 2, 2 n needs padding 1 and output padding 1.
        """
        stride, padding, output_padding = [], [], []
        for n, side in zip(x.shape[-2:], size, strict=True):
            stride.append(1 if side == n else 2)
            padding.append(0 if side == 2 * n + 1 else 1)
            output_padding.append(1 if side != n and side == 2 * n else 0)
        return F.conv_transpose2d(
            x, self.weight, self.bias, stride, padding, output_padding
        )


def build_gate(
    kind: str, channels: int, inner: int, bias: float | None
) -> nn.Module:
    """Return what predicts a gate from two maps of C channels.

    Args:
        kind: ``full``, 2 C -> C; ``cell``, 2 C -> 1; or ``low_rank``,
            2 C -> ``inner`` -> C.
        channels: C.
        inner: As above.
        bias: Of the last convolution at the start; None: at random.
    """
    outs = 1 if kind == 'cell' else channels
    if kind == 'low_rank':
        last = nn.Conv2d(inner, outs, 1)
        gate = nn.Sequential(nn.Conv2d(2 * channels, inner, 1), last)
    else:
        gate = last = nn.Conv2d(2 * channels, outs, 1)
    if bias is not None:
        nn.init.constant_(last.bias, bias)
    return gate


def _channels(x: Tensor) -> str:
    """Say how many channels a feature has, for an error."""
    if x.dim() == 3:
        return (
            f'tokens of shape {tuple(x.shape)}; set in_channels to the side '
            'that is not their number'
        )
    return f'{x.shape[1]} channels; set in_channels={x.shape[1]}'


@MODELS.register_module()
class LEARN(BaseModule):
    """Latent Enhancing feAture Reconstruction Network, as a neck.

    Takes the backbone's features and gives features of the same shape to the
    head, at any H, W >= 1: pooling halves a side (rounding down) unless it is
    1, and the decoder doubles it again. At inference every image passes
    through LEARN, clean ones too. It works in a plain
    ``mmpretrain.ImageClassifier``, alone or before the model's own neck:
    ``neck=[dict(type='mmocc.LEARN', ...), dict(type='GlobalAveragePooling')]``

    A feature is a map (N, C, H, W), a vector (N, C), taken as a map of one
    cell, or tokens (N, L, C) or (N, C, L), taken as the map of their grid.
    Tokens before the grid, such as a class token, pass unchanged.

    By default it has 701,216 parameters at 512 channels (VGG-16) and
    2,472,224 at 2048 (ResNet-50).

    Args:
        in_channels: Channels C of the feature that the head reads.
        hidden_channels: Channels of the two outer layers.
        latent_channels: Channels of the latent z.
        pool: ``max``, ``avg`` or ``none``; pooling after the first and the
            second convolution.
        last_act: ``relu`` for backbones whose features are not negative, or
            None.
        gate: Beyond the paper: blend x' with x by a gate in (0, 1) at each
            position, predicted from both by a 1x1 convolution. So intact
            positions need not pass the bottleneck. ``full``, or True: one
            value for each channel, 2 C^2 + C parameters; ``cell``: one for
            all channels, 2 C + 1; ``low_rank``: one for each channel by
            way of ``gate_channels``. False: no gate.
        init_cfg: mmengine's initialisation config.
        token_grid: (h, w) of the tokens' grid, if it is not a square.
        gate_channels: Of the low-rank gate, r: 3 C r + r + C parameters.
        gate_bias: The gate's bias at the start: -4 lets 2 % of the repair
            through. None: near 0, half of it.
        residual: Beyond the paper: the decoder gives x' - x. Training starts
            from the features as they are.

    Raises:
        ValueError: If ``pool``, ``last_act`` or ``gate`` is unknown, or
            options contradict each other.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 64,
        latent_channels: int = 32,
        pool: str = 'max',
        last_act: str | None = None,
        gate: bool | str = False,
        init_cfg: dict | list[dict] | None = None,
        token_grid: Size | None = None,
        gate_channels: int = 32,
        gate_bias: float | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__(init_cfg)
        if pool not in POOLS:
            raise ValueError(
                f'unknown pool {pool!r}; choose from {list(POOLS)}'
            )
        if last_act not in (None, 'relu'):
            raise ValueError(
                f"unknown last_act {last_act!r}; choose 'relu' or None"
            )
        gate = 'full' if gate is True else gate
        if gate and gate not in GATES:
            raise ValueError(
                f'unknown gate {gate!r}; choose from {list(GATES)}, or False'
            )
        if gate_bias is not None and not gate:
            raise ValueError(f'gate_bias={gate_bias} needs a gate')
        if residual and last_act:
            raise ValueError(
                f'last_act={last_act!r} keeps a residual from being negative; '
                'set residual=False or last_act=None'
            )
        self.in_channels = in_channels
        self.residual = residual
        self.pool = pool
        self.last_act = last_act
        self.token_grid = token_grid
        sides = (in_channels, hidden_channels, hidden_channels)
        outs = (hidden_channels, hidden_channels, latent_channels)
        self.encoder = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 3, padding=1)
            for c_in, c_out in zip(sides, outs, strict=True)
        )
        self.decoder = nn.ModuleList(
            Deconv(c_in, c_out, 3)
            for c_in, c_out in zip(outs[::-1], sides[::-1], strict=True)
        )
        if residual:
            nn.init.zeros_(self.decoder[-1].weight)
            nn.init.zeros_(self.decoder[-1].bias)
        self.gate = None
        if gate:
            self.gate = build_gate(gate, in_channels, gate_channels, gate_bias)

    def pooled(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (h, w) of a map of this size after one pooling."""
        if self.pool == 'none':
            return size
        return tuple(max(side // 2, 1) for side in size)

    def to_map(
        self, x: Tensor, grid: Size | None = None
    ) -> tuple[Tensor, Back]:
        """Return a feature as a map (N, C, H, W), and the way back.

        Args:
            x: The feature.
            grid: (h, w) of the network's first grid of tokens, if known;
                ``token_grid`` comes before it.

        Raises:
            ValueError: If it does not have ``in_channels`` channels, or
                is no feature that LEARN takes.
        """
        if self.in_channels not in (x.shape[1], x.shape[-1]):
            raise ValueError(
                f'mmocc.LEARN was built for in_channels={self.in_channels}, '
                f'but the backbone gives {_channels(x)}'
            )
        try:
            return feature_to_map(x, self.in_channels, self.token_grid or grid)
        except ValueError as error:
            raise ValueError(
                f'mmocc.LEARN cannot read the backbone: {error}; set its '
                'token_grid=(h, w) if the grid of tokens is not a square'
            ) from error

    def encode(self, x: Tensor) -> Tensor:
        """Return the latent of a feature.

        Args:
            x: (N, C, H, W), or another feature that :meth:`to_map` takes.

        Returns:
            (N, latent_channels, h, w); h, w are H, W pooled twice.

        Raises:
            ValueError: As :meth:`to_map`.
        """
        x, _ = self.to_map(x)
        for conv in self.encoder[:-1]:
            x = F.relu(conv(x))
            if self.pool != 'none':
                kernel = tuple(min(side, 2) for side in x.shape[-2:])
                x = POOLS[self.pool](x, kernel)
        return self.encoder[-1](x)

    def decode(self, z: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the feature map of a latent; a residual if it decodes those.

        Args:
            z: (N, latent_channels, h, w) from :meth:`encode`.
            size: (H, W) of the map that was encoded.

        Returns:
            (N, C, H, W).

        Raises:
            ValueError: If z is not the latent of a map of this size.
        """
        half = self.pooled(size)
        quarter = self.pooled(half)
        if tuple(z.shape[-2:]) != tuple(quarter):
            raise ValueError(
                f'a latent of a map of size {tuple(size)} has size '
                f'{tuple(quarter)}, got {tuple(z.shape[-2:])}'
            )
        z = F.relu(self.decoder[0](z, half))
        z = F.relu(self.decoder[1](z, size))
        z = self.decoder[2](z, size)
        return F.relu(z) if self.last_act == 'relu' else z

    def repair_map(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the repaired (N, C, H, W) map and its latent."""
        z = self.encode(maps)
        repaired = self.decode(z, maps.shape[-2:])
        if self.residual:
            repaired = maps + repaired
        if self.gate is not None:
            gate = self.gate(torch.cat([maps, repaired], dim=1)).sigmoid()
            # not lerp: autocast does not convert its arguments to one type
            repaired = maps + gate * (repaired - maps)
        return repaired, z

    def repair(
        self, x: Tensor, grid: Size | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the repaired feature and its latent.

        Args:
            x: (N, C, H, W), or another feature that :meth:`to_map` takes.
            grid: As there.

        Returns:
            The repaired feature, of the shape of x, and the latent
            (N, latent_channels, h, w).
        """
        maps, back = self.to_map(x, grid)
        repaired, z = self.repair_map(maps)
        return back(repaired), z

    def forward(self, feats: Any) -> Any:
        """Repair the feature that the head reads: the last one.

        Args:
            feats: The backbone's tuple of features, one tensor, or lists and
                dicts of them.

        Returns:
            The same with its last feature repaired; a tuple for a tensor.
        """
        if isinstance(feats, Tensor):
            feats = (feats,)
        return replace_last(feats, self.repair(last_feature(feats))[0])
