"""Hide-and-Seek on feature maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmocc.occlusion.grid import check_grid, draw_rows, spread_rows
from mmocc.registry import MODELS


@MODELS.register_module()
class HideFeatures(nn.Module):
    """Hide random grid cells of a feature map, all channels together.

    The "AlexNet-HaS-conv1-5" and "-11" of Singh and Lee (arXiv 1704.04232,
    table 5): cells of 5 or 11 positions of the 55x55 map after conv1, half of
    them. Each map of a batch gets hidden cells of its own. An identity in
    evaluation. Random numbers come from the device's global generator.

    To put it behind a module of a model that is there already:
    ``mmocc.HideFeaturesHook``.

    Args:
        grid_sizes: Sides of the cells in positions of the map; one is drawn
            for each map. 0 leaves a map as it is.
        hide_prob: Probability that a cell is hidden.
        fill: Value of what is hidden. ``'mean'``: each channel's mean over
            the batch, without a gradient, which keeps the mean of what the
            next layer sees, as the mean colour does for images; the paper
            does not say what it used. Or a number.

    Raises:
        ValueError: If a grid size is negative or no whole number, the
            probability is outside [0, 1], or the fill is something else.
    """

    def __init__(
        self,
        grid_sizes: Sequence[int] = (5,),
        hide_prob: float = 0.5,
        fill: str | float = 'mean',
    ) -> None:
        super().__init__()
        self.grid_sizes = check_grid(grid_sizes, hide_prob)
        self.hide_prob = hide_prob
        if isinstance(fill, str) and fill != 'mean':
            raise ValueError(f"fill must be 'mean' or a number, got {fill!r}")
        self.fill = fill
        sizes = torch.tensor(self.grid_sizes)
        self.register_buffer('sizes', sizes, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Hide cells of maps (N, C, H, W); in evaluation, return them."""
        if not self.training or not any(self.grid_sizes):
            return maps
        device = maps.device
        sizes = self.sizes.to(device, non_blocking=True)
        choice = torch.randint(len(sizes), (len(maps),), device=device)
        smallest = min(size for size in self.grid_sizes if size)
        rows, row = draw_rows(
            tuple(maps.shape[-2:]), sizes[choice], self.hide_prob, smallest
        )
        hidden = spread_rows(rows, row)
        if self.fill != 'mean':
            return maps.masked_fill(hidden, self.fill)
        mean = maps.detach().mean(dim=(0, 2, 3), keepdim=True)
        return torch.where(hidden, mean.to(maps.dtype), maps)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f'grid_sizes={self.grid_sizes}, hide_prob={self.hide_prob}, '
            f'fill={self.fill!r}'
        )
