"""The frame of the baselines on features of a pretrained network."""

from mmengine.model import BaseModule
from torch import Tensor

from mmocc.models.dea.part_baseline import PartBaseline, smooth_maps
from mmocc.models.patch_features import patch_grid
from mmocc.registry import MODELS
from mmocc.utils.weights import warn_random


class TrunkBaseline(PartBaseline):
    """Base of the baselines on features of a frozen, pretrained network.

    Args:
        backbone: Any backbone of the registry; its outputs are the stages to
            use, the finest first.
        kernel: As in :func:`mmocc.models.patch_features.patch_grid`.
        sigma: Blur of the maps, in pixels of the inputs.
        kwargs: Of :class:`PartBaseline`.
    """

    def __init__(
        self, backbone: dict, kernel: int, sigma: float = 4.0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.backbone: BaseModule = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.kernel, self.sigma = kernel, sigma
        self.pretrained = bool(backbone.get('init_cfg'))
        self.train(self.training)

    def train(self, mode: bool = True) -> 'TrunkBaseline':
        """Set the mode; the trunk stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def grid(self, inputs: Tensor) -> Tensor:
        """Return the features of patches, (N, C, h, w)."""
        if not self.pretrained:
            self.pretrained = True
            warn_random(
                f'mmocc.{type(self).__name__}',
                'the trunk',
                'features of random weights tell little',
                'give the backbone an init_cfg, such as dict(type='
                "'mmocc.PackagedWeights', name='efficientnet-lite0')",
            )
        return patch_grid(self.backbone(inputs), self.kernel)

    def finish(
        self, distances: Tensor, grid: Tensor, inputs: Tensor
    ) -> Tensor:
        """Return distances (N, h * w) as maps (N, H, W)."""
        maps = distances.view(len(grid), *grid.shape[-2:])
        return smooth_maps(maps, tuple(inputs.shape[-2:]), self.sigma)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        self.pretrained = True
        super()._load_from_state_dict(state_dict, prefix, *args)
