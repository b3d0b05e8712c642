"""PaDiM: a Gaussian of a pretrained network's features for each patch."""

import torch
from torch import Tensor

from mmocc.models.dea.trunk_baseline import TrunkBaseline
from mmocc.models.gaussian import (
    Gaussian,
    Moments,
    fit_gaussian,
    mahalanobis,
    moments,
)
from mmocc.models.patch_features import as_rows
from mmocc.registry import MODELS


@MODELS.register_module()
class PaDiM(TrunkBaseline):
    """PaDiM (Defard et al., arXiv 2011.08785).

    A patch's score is its Mahalanobis distance from the normal patches of its
    place; an image's is the highest of its blurred map. So all images must
    show the part in one place.

    Args:
        backbone: As in :class:`TrunkBaseline`.
        channels: Number of channels, drawn once; None for all.
        shrink: As in :func:`mmocc.models.gaussian.fit_gaussian`.
        seed: Of the drawn channels.
        kwargs: Of :class:`TrunkBaseline`.
    """

    def __init__(
        self,
        backbone: dict,
        channels: int | None = 100,
        shrink: float = 0.01,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(backbone, kernel=1, **kwargs)
        self.channels, self.shrink, self.seed = channels, shrink, seed
        self.register_buffer('mean', torch.zeros(0, 0))
        self.register_buffer('factor', torch.zeros(0, 0, 0))

    def rows(self, grid: Tensor) -> Tensor:
        """Return the drawn channels as rows (N, h * w, D)."""
        total = grid.shape[1]
        draw = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(total, generator=draw)[: self.channels]
        return as_rows(grid[:, order.sort().values.to(grid.device)])

    def see(self, inputs: Tensor) -> Moments:
        """Return the sums of the features of normal images."""
        sums = moments(self.rows(self.grid(inputs)))
        return Moments(*(x.cpu() for x in sums))

    def reduce(self, seen: list[Moments]) -> list[Moments]:
        """Add them up."""
        first, *others = seen
        for one in others:
            first = first + one
        return [first]

    def learn(self, seen: list[Moments]) -> None:
        """Fit the Gaussians."""
        (sums,) = self.reduce([Moments(*one) for one in seen])
        fitted = fit_gaussian(sums, self.shrink)
        self.mean, self.factor = (x.to(self.unused.device) for x in fitted)

    def judge(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N,) and maps (N, H, W)."""
        self.check_learnt(self.mean)
        grid = self.grid(inputs)
        fitted = Gaussian(self.mean, self.factor)
        distances = mahalanobis(self.rows(grid), fitted)
        maps = self.finish(distances, grid, inputs)
        return maps.amax((1, 2)), maps
