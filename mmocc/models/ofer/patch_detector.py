"""Detectors of occluded patches: what they share, and that of an MAE."""

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.ofer.stage_model import StageModel, sample_coverage
from mmocc.models.ofer.svdd import quantile_radius
from mmocc.occlusion.patches import upsample_patch_mask
from mmocc.registry import MODELS


class PatchDetection(NamedTuple):
    """Which patches of N images are occluded.

    Attributes:
        distances: (N, L) float32, higher for more anomalous patches.
        mask: (N, L) bool, True where the distance exceeds the radius.
        grid: (gh, gw), gh * gw = L.
    """

    distances: Tensor
    mask: Tensor
    grid: tuple[int, int]


class RadiusFit(NamedTuple):
    """What a radius was fitted to.

    Attributes:
        patches: Number of clean patches.
        false_alarms: Share of clean patches, 0 to 1, beyond a radius that was
            fitted to other faces: each half of the faces judges the other.
            NaN with fewer than two faces.
    """

    patches: int
    false_alarms: float


class PatchDetector(StageModel):
    """Base of detectors: :meth:`patch_distances`, and a radius.

    A patch is occluded if its distance exceeds the radius (arXiv 2307.11404,
    section 3.1); the mask is not smoothed. The radius is a buffer; 0 means
    unknown. :meth:`fit` sets it from clean patches, which must be of faces
    that the detector did not learn from: on its own, distances are smaller.

    Args:
        extractor: See :class:`StageModel`.
        nu: Share of clean patches that may count as occluded, in (0, 1).
        radius: The radius if it is known; 0 if it must be fitted.
        **kwargs: Of :class:`StageModel`.

    Raises:
        ValueError: If ``nu`` is not in (0, 1).
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        nu: float = 0.1,
        radius: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(extractor, **kwargs)
        if not 0 < nu < 1:
            raise ValueError(f'nu is {nu}; it must be in (0, 1)')
        self.nu = nu
        self.register_buffer('radius', torch.tensor(float(radius)))

    @abstractmethod
    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 distances of normalised (N, 3, H, W)."""

    def training_distances(
        self, images: Tensor, samples: list[DataSample] | None
    ) -> Tensor:
        """Return the distances of faces that the detector was fitted to.

        As large as those of new faces, as far as the detector can tell.
        """
        return self.patch_distances(images)

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Return the (gh, gw) of h x w pixels; ValueError if unknown."""
        return tuple(self.extractor.grid(h, w))

    @torch.no_grad()
    def detect(self, images: Tensor) -> PatchDetection:
        """Return the occluded patches of normalised images (N, 3, H, W).

        Raises:
            ValueError: If the radius is unknown, or the images do not fit the
                patch grid.
        """
        if not self.radius > 0:
            raise ValueError(
                f'{type(self).__name__} has no radius to tell occluded from '
                "clean patches; train it with dict(type='mmocc.FitRadiusHook'"
                ') in custom_hooks, load a checkpoint of it, or set `radius`'
            )
        grid = self.grid(*images.shape[-2:])
        distances = self.patch_distances(images)
        return PatchDetection(distances, distances > self.radius, grid)

    def tensor(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> Tensor:
        """Return the distances (N, L); samples are not read."""
        return self.patch_distances(inputs)

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
    ) -> list[DataSample]:
        """Return N samples (new ones for None) with detections.

        Each gets ``pred_patch_dist`` (L,), ``pred_patch_mask`` (L,) bool,
        ``pred_occlusion_mask`` (H, W) bool, and ``patch_grid`` (gh, gw) and
        ``patch_radius`` as metainfo.
        """
        detection = self.detect(inputs)
        size = tuple(inputs.shape[-2:])
        masks = upsample_patch_mask(detection.mask, detection.grid, size)
        samples = data_samples or [DataSample() for _ in inputs]
        radius = float(self.radius)
        for place, sample in enumerate(samples):
            sample.set_field(detection.distances[place], 'pred_patch_dist')
            sample.set_field(detection.mask[place], 'pred_patch_mask')
            sample.set_field(masks[place, 0], 'pred_occlusion_mask')
            sample.set_metainfo(
                dict(patch_grid=detection.grid, patch_radius=radius)
            )
        return samples

    @torch.no_grad()
    def fit(self, batches: Iterable[dict]) -> RadiusFit:
        """Fit the radius to clean patches.

        Args:
            batches: Of a dataloader; in each process a share of them. Patches
                that a sample's ``patch_coverage`` calls occluded do not count.

        Raises:
            ValueError: If there is no clean patch.
        """
        mode = self.training
        self.eval()
        faces = [
            row[keep].cpu()
            for images, clean in self._load(batches)
            for row, keep in zip(
                self.patch_distances(images), clean, strict=True
            )
        ]
        self.train(mode)
        return self.set_radius(faces)

    def set_radius(self, faces: list[Tensor]) -> RadiusFit:
        """Set the radius by the distances (n,) of each face's clean patches.

        Args:
            faces: Of this process; those of all count.
        """
        faces = [face for part in all_gather_object(faces) for face in part]
        distances = torch.cat(faces) if faces else torch.zeros(0)
        self.radius.fill_(quantile_radius(distances, self.nu))
        return RadiusFit(len(distances), judged_by_halves(faces, self.nu))

    def _load(self, batches: Iterable[dict]) -> Iterable[tuple]:
        """Yield images and the (N, L) bool of patches that are clean."""
        for images, clean, _ in self._load_samples(batches):
            yield images, clean

    def _load_samples(self, batches: Iterable[dict]) -> Iterable[tuple]:
        """Yield images, the clean patches (N, L) bool, and N samples."""
        for data in batches:
            data = self.data_preprocessor(data, False)
            images, samples = data['inputs'], data.get('data_samples')
            grid = self.grid(*images.shape[-2:])
            samples = samples or [DataSample() for _ in images]
            yield images, clean_patches(samples, images, grid), samples


def judged_by_halves(faces: list[Tensor], nu: float) -> float:
    """Return the share of patches beyond the radius of the other half.

    Args:
        faces: Distances (n,) of the clean patches of each face; NaN is the
            answer if a half has no patch.
        nu: Share that may lie beyond a radius among its own faces.
    """
    middle = len(faces) // 2
    halves = [torch.cat(p) for p in (faces[:middle], faces[middle:]) if p]
    if len(halves) < 2 or not all(map(len, halves)):
        return math.nan
    beyond = sum(
        int((one > quantile_radius(other, nu)).sum())
        for one, other in (halves, halves[::-1])
    )
    return beyond / sum(map(len, halves))


def gather(parts: list[Tensor]) -> Tensor:
    """Return the tensors of all processes, joined, on the CPU."""
    if not parts:
        raise ValueError('the dataloader of clean patches is empty')
    mine = torch.cat([part.cpu() for part in parts])
    return torch.cat(all_gather_object(mine))


def clean_patches(
    data_samples: list[DataSample] | None,
    images: Tensor,
    grid: tuple[int, int],
) -> Tensor:
    """Return the (N, L) bool of patches of N images that nothing covers.

    Samples without ``patch_coverage`` (gh, gw) are clean; ValueError if one
    has another grid.
    """
    clean = torch.ones(len(images), grid[0] * grid[1], dtype=torch.bool)
    for row, sample in zip(clean, data_samples or [], strict=False):
        coverage = sample_coverage(sample, grid)
        if coverage is not None:
            row.copy_(coverage == 0)
    return clean.to(images.device)


def choose_dims(total: int, number: int | None, seed: int = 0) -> Tensor:
    """Return which of the features to use (n,) int64, ascending.

    Args:
        total: How many there are.
        number: How many to draw, always the same for a seed; None takes all.
        seed: Of the draw.

    Raises:
        ValueError: If there are not so many.
    """
    if number is None:
        return torch.arange(total)
    if not 1 <= number <= total:
        raise ValueError(
            f'{number} of {total} features cannot be drawn: choose from 1 to '
            f'{total}, or None for all'
        )
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(total, generator=generator)[:number].sort().values


def visible_groups(number: int, groups: int, rounds: int) -> Tensor:
    """Return masks that show each patch once in every round, always the same.

    Args:
        number: Number of patches L.
        groups: Passes of a round; each shows about L / groups patches.
        rounds: Number of rounds.

    Returns:
        (groups * rounds, L) bool, True where a patch is hidden.
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
    """A patch is occluded if the MAE reconstructs it badly from the others.

    Not in the paper: an alternative to ``mmocc.PatchSVDD`` without training.
    Each pass shows the MAE one group of patches. The distance of a patch is
    its mean absolute error over the passes that hide it, in units of the
    normalised images.

    Args:
        extractor: See :class:`StageModel`.
        groups: Passes of a round, 2 or more; 4 shows a quarter of the patches,
            as in the MAE's training.
        rounds: Rounds of passes, averaged; the cost grows with it.
        **kwargs: Of :class:`PatchDetector`.
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        groups: int = 4,
        rounds: int = 1,
        **kwargs,
    ) -> None:
        super().__init__(extractor, **kwargs)
        if groups < 2 or rounds < 1:
            raise ValueError(
                f'groups={groups}, rounds={rounds}: there must be at least 2 '
                'groups and 1 round'
            )
        self.groups = groups
        self.rounds = rounds

    @torch.no_grad()
    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 mean absolute errors; see the base."""
        grid = self.extractor.grid(*images.shape[-2:])
        masks = visible_groups(grid[0] * grid[1], self.groups, self.rounds)
        masks = masks.to(images.device)
        head = self.extractor.mae.head
        target = head.patchify(images.float())
        total = target.new_zeros(target.shape[:2])
        for mask in masks:
            hidden = mask.expand(len(images), -1)
            coarse = self.extractor(images, hidden).coarse
            error = (head.patchify(coarse) - target).abs().mean(dim=-1)
            total += error * mask
        return total / masks.sum(dim=0)
