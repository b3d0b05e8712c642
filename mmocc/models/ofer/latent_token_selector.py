"""Which latents of a face are read: those where the CNN looks.

Lee et al., "Latent-OFER", arXiv 2307.11404: the positions whose spatial
attention is in the top 50 % are the keys, the ViT's latents there the values.
"""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from mmocc.registry import MODELS

MODES = ('top', 'all', 'box')
# The authors' release reads the same 78 of 14 x 14 patches of every face:
# columns 3 to 10 of rows 3 to 11, and columns 3 to 8 of row 12.
BOX_GRID = (14, 14)
BOX = tuple(
    14 * row + column
    for row in range(3, 13)
    for column in range(3, 9 if row == 12 else 11)
)


class SelectedTokens(NamedTuple):
    """Latents that were chosen.

    Attributes:
        tokens: (N, K, D).
        index: (N, K) int64, their patches in raster order, ascending.
    """

    tokens: Tensor
    index: Tensor


def fit_attention(attention: Tensor, grid: tuple[int, int]) -> Tensor:
    """Bring attention to the grid of patches, bilinearly, in float32.

    Args:
        attention: (N, h, w).
        grid: (gh, gw).

    Returns:
        (N, gh, gw).
    """
    with torch.autocast(attention.device.type, enabled=False):
        return F.interpolate(
            attention[:, None].float(),
            size=grid,
            mode='bilinear',
            align_corners=False,
        )[:, 0]


def top_positions(weights: Tensor, count: int) -> Tensor:
    """Return the positions of the largest weights, ascending.

    Of equal weights the first ones are taken.

    Args:
        weights: (N, L).
        count: K, at most L.

    Returns:
        (N, K) int64.
    """
    order = weights.argsort(dim=1, descending=True, stable=True)
    return order[:, :count].sort(dim=1).values


def patch_tokens(latents: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the latents of the patches, without the class token.

    Args:
        latents: (N, L, D), or (N, 1 + L, D) with the class token first.
        grid: (gh, gw) with gh * gw = L.

    Raises:
        ValueError: If the number of latents does not fit the grid.
    """
    patches = grid[0] * grid[1]
    extra = latents.shape[1] - patches
    if extra not in (0, 1):
        raise ValueError(
            f'{latents.shape[1]} latents do not fit a grid of {grid[0]} x '
            f'{grid[1]} = {patches} patches (with a class token: '
            f'{patches + 1}); were they made of images of another size?'
        )
    return latents[:, extra:]


@MODELS.register_module()
class LatentTokenSelector(BaseModule):
    """Read the latents at the positions with most attention.

    Args:
        mode: ``top`` takes the ``ratio`` of most attention, for each face
            anew; ``all`` takes all; ``box`` the same 78 of 14 x 14 patches of
            every face, as the authors' release does in place of the paper's
            selection.
        ratio: Share of the positions, 0 < ratio <= 1.

    Raises:
        ValueError: If the mode or the ratio is none of these.
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
        """Return how many latents are read of a grid (gh, gw): K."""
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
            grid: (gh, gw), with gh * gw = L.

        Raises:
            ValueError: If the latents do not fit the grid, or ``box`` does
                not.
        """
        tokens = patch_tokens(latents, grid)
        index = self.positions(attention, grid)
        wanted = index[..., None].expand(-1, -1, tokens.shape[2])
        return SelectedTokens(tokens.gather(1, wanted), index)

    def positions(self, attention: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the (N, K) patches that are read, ascending."""
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
