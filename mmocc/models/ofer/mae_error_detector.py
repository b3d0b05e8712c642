"""Detector by the error of an MAE: what cannot be redrawn is occluded."""

import torch
from torch import Tensor, nn

from mmocc.models.ofer.patch_detector import PatchDetector
from mmocc.registry import MODELS


def visible_groups(number: int, groups: int, rounds: int) -> Tensor:
    """Return masks that show each patch once in every round.

    Args:
        number: Number of patches L.
        groups: Passes of a round; each shows about L / groups patches.
        rounds: Number of rounds.

    Returns:
        (groups * rounds, L) bool, True where a patch is hidden. The draw is
        always the same.
    """
    generator = torch.Generator().manual_seed(0)
    masks = []
    for _ in range(rounds):
        order = torch.randperm(number, generator=generator)
        group = torch.empty(number, dtype=torch.long)
        group[order] = torch.arange(number) % groups
        masks.append(group != torch.arange(groups)[:, None])
    return torch.cat(masks)


@MODELS.register_module()
class MAEErrorDetector(PatchDetector):
    """A patch is occluded if the MAE redraws it badly from the others.

    Not in the paper: the plain alternative to ``mmocc.PatchSVDD``, with
    nothing to train. Each pass shows the MAE one group of patches, and the
    distance of a patch is its mean absolute error over the passes that hide
    it, in units of the normalised images.

    Args:
        extractor: ``mmocc.PatchLatentExtractor``, or its config; None if a
            model around it shares its own.
        nu: Share of clean patches that may count as occluded, in (0, 1).
        groups: Passes of a round; 4 shows a quarter of the patches, as in
            the MAE's training.
        rounds: Rounds of passes, averaged; the cost grows with it.
        radius: Threshold of the error; 0 to have ``mmocc.FitRadiusHook`` fit
            it.
        data_preprocessor: As in any model: the MAE's normalisation.
        init_cfg: As in any model.

    Raises:
        ValueError: If an option is out of its range.
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        nu: float = 0.1,
        groups: int = 4,
        rounds: int = 1,
        radius: float = 0.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(extractor, nu, radius, data_preprocessor, init_cfg)
        if groups < 2 or rounds < 1:
            raise ValueError(
                f'groups={groups}, rounds={rounds}: there must be at least 2 '
                'groups and 1 round'
            )
        self.groups = groups
        self.rounds = rounds

    @torch.no_grad()
    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 mean absolute errors.

        Args:
            images: (N, 3, H, W), normalised.
        """
        grid = self.extractor.grid(*images.shape[-2:])
        masks = visible_groups(grid[0] * grid[1], self.groups, self.rounds)
        masks = masks.to(images.device)
        head = self.extractor.mae.head
        target = head.patchify(images.float())
        total = target.new_zeros(target.shape[:2])
        for mask in masks:
            coarse = self.extractor(
                images, mask.expand(len(images), -1)
            ).coarse
            error = (head.patchify(coarse) - target).abs().mean(dim=-1)
            total += error * mask
        return total / masks.sum(dim=0)
