"""A network that redraws features of objects; beyond the DEA paper.

Pixels of a defect are often few and easily redrawn. Features of a pretrained,
frozen trunk say more, as in reverse distillation (arXiv 2201.10703): from the
coarse RoI features, those of finer maps are redrawn::

    RoI (n, 128, 8, 8) -> stride 2 -> 128 at 8 x 8 -> (n, sum of C_l, 16, 16)
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import roi_align

from mmocc.models.patch_features import patch_grid
from mmocc.registry import MODELS


@MODELS.register_module()
class FeatureDecoder(BaseModule):
    """Redraw the features of objects from coarser ones.

    Args:
        target_channels: Channels of each map to redraw; they are the first
            ones of the detector, the finest first.
        target_stride: Pixels of the image in a cell of the first map.
        in_channels: Channels of the RoI features.
        roi_size: Their height and width, even; the result's is twice that.
        width: Channels between.
        loss_weight: Factor of the loss.
        init_cfg: As in mmengine's BaseModule; the default suits ReLU.

    Raises:
        ValueError: If ``roi_size`` is odd.
    """

    def __init__(
        self,
        target_channels: Sequence[int],
        target_stride: int,
        in_channels: int = 128,
        roi_size: int = 8,
        width: int = 128,
        loss_weight: float = 1.0,
        init_cfg: dict | list[dict] | None = dict(
            type='Kaiming', layer='Conv2d'
        ),
    ) -> None:
        super().__init__(init_cfg)
        if roi_size % 2:
            raise ValueError(f'roi_size must be even, got {roi_size}')
        self.target_channels = list(target_channels)
        self.target_stride = target_stride
        self.in_channels, self.roi_size = in_channels, roi_size
        self.loss_weight = loss_weight
        above = sum(self.target_channels)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 4 * width, 3, 2, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 4 * above, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, C, 2 k, 2 k) of RoI features (n, ., k, k)."""
        if not len(x):  # PyTorch's pixel shuffle has no gradient of nothing
            unused = x.sum() + sum(p.sum() for p in self.parameters())
            side = 2 * self.roi_size
            shape = 0, sum(self.target_channels), side, side
            return x.new_zeros(shape) + 0 * unused
        return self.layers(x)

    @torch.no_grad()
    def targets(self, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        """Return the features themselves, (n, C, 2 k, 2 k) float32.

        Args:
            feats: Maps (B, C_l, H_l, W_l) of the detector.
            rois: (n, 5): batch index and xyxy in pixels of the inputs.

        Raises:
            ValueError: If the maps have other channels.
        """
        maps = feats[: len(self.target_channels)]
        actual = [level.shape[1] for level in maps]
        if actual != self.target_channels:
            raise ValueError(
                f'feature_decoder.target_channels={self.target_channels}, '
                f'but the first maps have {actual}: give the same'
            )
        grid = patch_grid(maps, 1)
        scale, side = 1 / self.target_stride, 2 * self.roi_size
        return roi_align(grid, rois.float(), side, scale, aligned=True)

    def distances(self, recons: Tensor, targets: Tensor) -> Tensor:
        """Return maps (n, 2 k, 2 k) in [0, 2]: 1 - cosine, mean of the maps.

        Both arguments are (n, C, 2 k, 2 k).
        """
        pairs = zip(
            recons.float().split(self.target_channels, 1),
            targets.float().split(self.target_channels, 1),
            strict=True,
        )
        away = [1 - F.cosine_similarity(a, b, dim=1) for a, b in pairs]
        return torch.stack(away).mean(0)

    def loss(self, recons: Tensor, targets: Tensor) -> Tensor:
        """Return the mean distance, weighted; 0 with gradient of nothing."""
        with torch.autocast(recons.device.type, enabled=False):
            if not len(recons):
                return recons.sum()
            return self.loss_weight * self.distances(recons, targets).mean()
