"""Two baselines on pixels: the mean of normal images, and their PCA."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmocc.models.dea.part_baseline import PartBaseline
from mmocc.registry import MODELS
from mmocc.utils.files import note


@MODELS.register_module()
class PCAImage(PartBaseline):
    """Redraw small images by the principal components of normal ones.

    The map is the absolute difference from the redrawing, averaged over
    channels; an image's score is the root of the mean squared difference.

    Args:
        components: Number of principal components, below the number of normal
            images; 0 redraws each image as the mean of the normal ones.
        side: Images are reduced to this many pixels a side.
        kwargs: Of :class:`PartBaseline`.

    Raises:
        ValueError: If ``components`` is negative.
    """

    maps_score = False  # one is the mean of the other

    def __init__(self, components: int = 16, side: int = 64, **kwargs) -> None:
        super().__init__(**kwargs)
        if components < 0:
            raise ValueError(f'components must be 0 or more, got {components}')
        self.components, self.side = components, side
        self.register_buffer('mean', torch.zeros(0))
        self.register_buffer('axes', torch.zeros(0, 0))

    def reduced(self, inputs: Tensor) -> Tensor:
        """Return images (N, C, H, W) as small ones (N, C, side, side)."""
        return F.adaptive_avg_pool2d(inputs.float(), self.side)

    def see(self, inputs: Tensor) -> Tensor:
        """Return small images, (N, C, side, side)."""
        return self.reduced(inputs).cpu()

    def learn(self, seen: list[Tensor]) -> None:
        """Compute the mean (D,) and the principal axes (components, D)."""
        rows = torch.cat(seen).flatten(1).to(self.unused.device)
        most = min(self.components, len(rows) - 1)
        if most < self.components:
            note(
                f'mmocc.PCAImage: {len(rows)} normal images have {most} '
                f'principal components, not {self.components}'
            )
        self.mean = rows.mean(0)
        axes = torch.linalg.svd(rows - self.mean, full_matrices=False).Vh
        self.axes = axes[:most].contiguous()

    def judge(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N,) and maps (N, side, side)."""
        self.check_learnt(self.mean)
        small = self.reduced(inputs)
        away = small.flatten(1) - self.mean
        rest = away - away @ self.axes.T @ self.axes
        maps = rest.view_as(small).abs().mean(1)
        return rest.square().mean(1).sqrt(), maps
