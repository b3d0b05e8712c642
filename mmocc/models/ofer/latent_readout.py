"""From a face's latents to one vector: attention, selection, projection.

Lee et al., "Latent-OFER", arXiv 2307.11404: the CNN's attention chooses the
positions whose latents are read. "The release" is the code of its authors.
"""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmocc.registry import MODELS

MODES = ('top', 'all', 'box')
# The release reads the same 78 of 14 x 14 patches of every face:
# columns 3 to 10 of rows 3 to 11, and columns 3 to 8 of row 12.
BOX_GRID = (14, 14)
BOX = tuple(
    14 * row + column
    for row in range(3, 13)
    for column in range(3, 9 if row == 12 else 11)
)


class AttendedMap(NamedTuple):
    """A feature map seen with attention.

    Attributes:
        feature: (N, C, h, w) features times both attentions.
        attention: (N, h, w) weights of the positions, 0 or more.
    """

    feature: Tensor
    attention: Tensor


@MODELS.register_module()
class ChannelSpatialAttention(BaseModule):
    """One head of attention: channels first, then positions.

    The paper cites CBAM (arXiv 1807.06521); layers and order are those of the
    release, 2,135,904 parameters for 512 channels. The weight of a position is
    a sum of rectified channels, so it has no upper bound.

    Args:
        in_channels: Channels C of the feature map.
        reduction: C over the width of the channel attention.
        init_cfg: As in mmengine's BaseModule.
    """

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        squeezed, inner = max(in_channels // reduction, 1), in_channels // 2
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(in_channels, squeezed),
            nn.BatchNorm1d(squeezed),
            nn.ReLU(),
            nn.Linear(squeezed, in_channels),
            nn.Sigmoid(),
        )
        self.reduce = nn.Sequential(
            nn.Conv2d(in_channels, inner, 1), nn.BatchNorm2d(inner)
        )
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inner, in_channels, size, padding='same'),
                nn.BatchNorm2d(in_channels),
            )
            for size in ((3, 3), (1, 3), (3, 1))
        )

    def forward(self, feature: Tensor) -> AttendedMap:
        """Attend to a map (N, C, h, w); in training, N is 2 or more."""
        feature = feature * self.channel(feature)[..., None, None]
        reduced = self.reduce(feature)
        summed = sum(branch(reduced) for branch in self.branches)
        attention = summed.relu().sum(dim=1)
        return AttendedMap(feature * attention[:, None], attention)


class SelectedTokens(NamedTuple):
    """Chosen latents.

    Attributes:
        tokens: (N, K, D).
        index: (N, K) int64, their patches in raster order, ascending.
    """

    tokens: Tensor
    index: Tensor


def fit_attention(attention: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize attention (N, h, w) to patches (N, gh, gw), in float32."""
    options = dict(size=grid, mode='bilinear', align_corners=False)
    with torch.autocast(attention.device.type, enabled=False):
        return F.interpolate(attention[:, None].float(), **options)[:, 0]


def top_positions(weights: Tensor, count: int) -> Tensor:
    """Return the K largest of (N, L), ascending; of equals the first."""
    order = weights.argsort(dim=1, descending=True, stable=True)
    return order[:, :count].sort(dim=1).values


def patch_tokens(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the values (N, L, ...) of the patches, without the class token.

    Args:
        values: (N, L, ...), or (N, 1 + L, ...) with the class token first.
        grid: (gh, gw) with gh * gw = L; otherwise ValueError.
    """
    patches = grid[0] * grid[1]
    extra = values.shape[1] - patches
    if extra not in (0, 1):
        raise ValueError(
            f'{values.shape[1]} latents do not fit a grid of {grid[0]} x '
            f'{grid[1]} = {patches} patches (with a class token: '
            f'{patches + 1}); were they made of images of another size?'
        )
    return values[:, extra:]


@MODELS.register_module()
class LatentTokenSelector(BaseModule):
    """Read the latents at the positions with most attention.

    In the paper, the positions whose spatial attention is in the top 50 % are
    the keys, and the ViT's latents there the values.

    Args:
        mode: ``top`` takes a share of the positions, separately for each face;
            ``all`` takes all; ``box`` takes the same 78 of 14 x 14 patches of
            every face, as the release does. ValueError for others.
        ratio: The share for ``top``, 0 < ratio <= 1; otherwise ValueError.
    """

    def __init__(self, mode: str = 'top', ratio: float = 0.5) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f'mode {mode!r} is none of {MODES}')
        if not 0 < ratio <= 1:
            raise ValueError(f'ratio must be in (0, 1], got {ratio}')
        self.mode = mode
        self.ratio = ratio

    def count(self, grid: tuple[int, int]) -> int:
        """Return K, the number of latents to read from a grid (gh, gw)."""
        if self.mode == 'box':
            return len(BOX)
        patches = grid[0] * grid[1]
        if self.mode == 'all':
            return patches
        return max(1, int(self.ratio * patches + 0.5))

    def forward(
        self, attention: Tensor, latents: Tensor, grid: tuple[int, int]
    ) -> SelectedTokens:
        """Read latents of N faces.

        Args:
            attention: (N, h, w), of any size.
            latents: (N, L, D), or (N, 1 + L, D) with the class token first,
                which is never read.
            grid: (gh, gw), with gh * gw = L; ValueError if latents or ``box``
                do not fit it.
        """
        tokens = patch_tokens(latents, grid)
        index = self.positions(attention, grid)
        places = index[..., None].expand(-1, -1, tokens.shape[2])
        return SelectedTokens(tokens.gather(1, places), index)

    def positions(self, attention: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the (N, K) patches to read, ascending."""
        if self.mode == 'top':
            weights = fit_attention(attention.detach(), grid).flatten(1)
            return top_positions(weights, self.count(grid))
        if self.mode == 'box' and tuple(grid) != BOX_GRID:
            raise ValueError(
                f"mode='box' is made for {BOX_GRID[0]} x {BOX_GRID[1]} "
                f'patches, not for {grid[0]} x {grid[1]}; use mode="top"'
            )
        chosen = BOX if self.mode == 'box' else range(grid[0] * grid[1])
        index = torch.tensor(list(chosen), device=attention.device)
        return index.expand(len(attention), -1)


@MODELS.register_module()
class LatentProjection(BaseModule):
    """Project all latents with the same weights, and take the mean.

    Small, and for any number of latents. A latent holds its own position,
    since the ViT adds it.

    Args:
        in_dims: Width D of a latent.
        out_dims: Width of the vector.
    """

    def __init__(self, in_dims: int, out_dims: int = 256) -> None:
        super().__init__()
        self.out_dims = out_dims
        self.project = nn.Sequential(
            nn.LayerNorm(in_dims), nn.Linear(in_dims, out_dims), nn.GELU()
        )
        self.norm = nn.BatchNorm1d(out_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, out_dims) of latents (N, K, D)."""
        return self.norm(self.project(tokens).mean(dim=1))


@MODELS.register_module()
class LatentMLP(BaseModule):
    """Concatenate all latents, then four linear layers, as in the release.

    With the defaults it has 454,768,936 parameters.

    Args:
        in_dims: Width D of a latent.
        num_tokens: Their number K.
        hidden_dims: Widths of the first three layers.
        out_dims: Width of the vector.
    """

    def __init__(
        self,
        in_dims: int = 512,
        num_tokens: int = 78,
        hidden_dims: tuple[int, int, int] = (10000, 5000, 1024),
        out_dims: int = 256,
    ) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.out_dims = out_dims
        first, second, third = hidden_dims
        self.layers = nn.Sequential(
            nn.Linear(num_tokens * in_dims, first),
            nn.Linear(first, second),
            nn.BatchNorm1d(second),
            nn.Linear(second, third),
            nn.Linear(third, out_dims),
            nn.BatchNorm1d(out_dims),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, out_dims) of (N, K, D); ValueError for another K."""
        if tokens.shape[1] != self.num_tokens:
            raise ValueError(
                f'mmocc.LatentMLP needs num_tokens={self.num_tokens} '
                f'latents, the selector gives {tokens.shape[1]}'
            )
        return self.layers(tokens.flatten(1))
