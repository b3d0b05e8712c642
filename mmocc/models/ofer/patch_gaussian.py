"""Occluded patches by the features of a network trained on other images.

PaDiM (Defard et al., arXiv 2011.08785) for faces: the features of several
levels of a frozen backbone describe each patch, and a Gaussian for each place
of the aligned face says how unusual they are. Not in Latent-OFER, whose
detector reads the latents of its own MAE.
"""

import math
import zlib
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.gaussian import (
    Gaussian,
    Moments,
    fit_gaussian,
    mahalanobis,
    moments,
)
from mmocc.models.ofer.patch_detector import (
    PatchDetector,
    RadiusFit,
    choose_dims,
)
from mmocc.models.ofer.stage_model import to_rgb
from mmocc.models.patch_features import as_rows, patch_grid
from mmocc.registry import MODELS


@MODELS.register_module()
class PatchGaussian(PatchDetector):
    """Mahalanobis distance of a patch's features from those of clean faces.

    It stands where ``mmocc.PatchSVDD`` stands. Nothing is trained by a
    gradient: :meth:`fit` takes the statistics and the radius, by
    ``mmocc.FitLoop`` or ``mmocc.FitRadiusHook(at_start=True)``. The radius is
    cross-fitted: the faces of each fifth of the people are judged by the
    Gaussians of the other people.

    Args:
        backbone: Config of a backbone with trained weights that gives maps of
            several levels, the finest first. It stays frozen.
        grid: (gh, gw) of the patches; that of the MAE around it, if the model
            has one.
        size: Side in pixels to which faces are resized for the backbone; None
            takes them as they come.
        mean: Of the backbone's training, RGB, 0 to 255.
        std: Likewise.
        dims: Number of features in use, drawn at random as in PaDiM; None
            takes all. Memory grows with its square.
        seed: Of this draw.
        smooth: Distances are averaged with those of the neighbours, by a
            Gaussian of this standard deviation in patches, as PaDiM's maps
            are; 0 leaves them.
        ridge: Added to all variances, as a share of their mean.
        folds: Parts of the people for the cross-fitted radius, 2 or more.
        keep_folds: Also keep the Gaussians without each part, so that
            :meth:`training_distances` judges faces by those of other people;
            memory and checkpoint grow by the number of folds.
        extractor: Of a model around it; not used.
        **kwargs: Of :class:`PatchDetector`, such as ``nu``.

    Raises:
        ValueError: If an option is out of its range.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        grid: tuple[int, int] = (8, 8),
        size: int | None = 128,
        mean: Sequence[float] = (127.0, 127.0, 127.0),
        std: Sequence[float] = (128.0, 128.0, 128.0),
        dims: int | None = 64,
        seed: int = 0,
        smooth: float = 0.0,
        ridge: float = 0.01,
        folds: int = 5,
        keep_folds: bool = False,
        extractor: dict | nn.Module | None = None,
        **kwargs,
    ) -> None:
        super().__init__(None, **kwargs)
        if folds < 2 or ridge <= 0 or smooth < 0:
            raise ValueError(
                f'folds={folds}, ridge={ridge}, smooth={smooth}: there must '
                'be 2 folds or more, a positive ridge and no negative smooth'
            )
        if isinstance(backbone, dict):
            backbone = MODELS.build(backbone)
        self.backbone = backbone.requires_grad_(False)
        self.patches, self.size = tuple(grid), size
        self.smooth, self.ridge, self.folds = float(smooth), ridge, folds
        # In checkpoints, because another width gives other distances.
        self.register_buffer('sigma', torch.tensor(self.smooth))
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1))
        self.train(False)
        total = self._channels()
        self.register_buffer('chosen', choose_dims(total, dims, seed))
        number, width = self.patches[0] * self.patches[1], len(self.chosen)
        self.register_buffer('centre', torch.zeros(number, width))
        # Zeros: not fitted.
        self.register_buffer('factor', torch.zeros(number, width, width))
        kept = folds if keep_folds else 0
        for name, shape in (
            ('others', (kept, number, width)),
            ('other_factors', (kept, number, width, width)),
        ):
            self.register_buffer(name, torch.zeros(shape), keep_folds)

    def train(self, mode: bool = True) -> 'PatchGaussian':
        """Stay in evaluation mode."""
        return super().train(False)

    def share_extractor(self, extractor: nn.Module) -> None:
        """Ignore the extractor of the model around it."""

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Return the (gh, gw) patches of h x w pixels.

        ValueError if the sides are no multiples of the grid.
        """
        rows, columns = self.patches
        if h % rows or w % columns:
            raise ValueError(
                f'an image of {h} x {w} pixels (h x w) for a grid of '
                f'{rows} x {columns} patches: resize images to multiples of '
                f"it, such as dict(type='Resize', scale=({8 * columns}, "
                f'{8 * rows})), or give mmocc.PatchGaussian another grid'
            )
        return self.patches

    @torch.no_grad()
    def _channels(self) -> int:
        """Return the number of features that the backbone gives."""
        side = self.size or 8 * max(self.patches)
        maps = self.backbone(torch.zeros(1, 3, side, side))
        return sum(level.shape[1] for level in as_maps(maps))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return all features (N, L, C), float32, of normalised images."""
        pixels = to_rgb(images, self.data_preprocessor)
        if self.size and tuple(pixels.shape[-2:]) != (self.size, self.size):
            pixels = F.interpolate(
                pixels,
                (self.size, self.size),
                mode='bilinear',
                antialias=True,
            )
        maps = as_maps(self.backbone((pixels - self.mean) / self.std))
        return as_rows(patch_grid(maps, kernel=1, size=self.patches))

    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 Mahalanobis distances of (N, 3, H, W).

        Raises:
            RuntimeError: If the Gaussians are not fitted.
        """
        if not self.factor.any():
            raise RuntimeError(
                'the Gaussians of mmocc.PatchGaussian are not fitted: train '
                "it with train_cfg=dict(type='mmocc.FitLoop'), put "
                "dict(type='mmocc.FitRadiusHook', at_start=True) into "
                'custom_hooks of the model around it, or load a checkpoint'
            )
        rows = self.features(images)[..., self.chosen]
        return self.judge(rows, Gaussian(self.centre, self.factor))

    def training_distances(
        self, images: Tensor, samples: list[DataSample] | None
    ) -> Tensor:
        """Return the distances (N, L) of faces that it was fitted to.

        With ``keep_folds``, those from the Gaussians of other people: a
        sample's ``subject``, or its ``img_path``, says who is one's own.
        """
        if samples is None or not self.other_factors.any():
            return self.patch_distances(images)
        rows = self.features(images)[..., self.chosen]
        folds = torch.tensor([fold_of(s, self.folds) for s in samples])
        distances = rows.new_zeros(rows.shape[:2])
        for fold in folds.unique().tolist():
            mine = (folds == fold).to(rows.device)
            other = Gaussian(self.others[fold], self.other_factors[fold])
            distances[mine] = self.judge(rows[mine], other)
        return distances

    def judge(self, rows: Tensor, gaussian: Gaussian) -> Tensor:
        """Return (N, L) distances of chosen features (N, L, D)."""
        return smoothed(mahalanobis(rows, gaussian), self.patches, self.smooth)

    @torch.no_grad()
    def fit(self, batches: Iterable[dict]) -> RadiusFit:
        """Fit Gaussians, unless they are known, and the radius.

        Args:
            batches: Of a dataloader, which is read once, or twice to fit the
                Gaussians, in the same order. Patches that a sample's
                ``patch_coverage`` calls occluded do not count. A sample's
                ``subject``, if it has one, or else its ``img_path`` says which
                fold it belongs to.

        Raises:
            ValueError: If a position has fewer than two clean patches.
        """
        if self.factor.any():
            return super().fit(batches)
        parts = self._moments_of_folds(batches)
        whole = self._gaussian(total(parts))
        self.centre.copy_(whole.mean)
        self.factor.copy_(whole.factor)
        others = [
            self._without(parts, fold) or whole for fold in range(self.folds)
        ]
        for fold in range(len(self.others)):
            self.others[fold] = others[fold].mean
            self.other_factors[fold] = others[fold].factor
        faces = []
        for images, clean, samples in self._load_samples(batches):
            rows = self.features(images)[..., self.chosen]
            for row, keep, sample in zip(rows, clean, samples, strict=True):
                gaussian = others[fold_of(sample, self.folds)]
                faces.append(self.judge(row[None], gaussian)[0][keep].cpu())
        return self.set_radius(faces)

    def _moments_of_folds(self, batches: Iterable[dict]) -> list[Moments]:
        """Return the moments of the clean patches of each fold."""
        empty = moments(self.centre.new_zeros(1, *self.centre.shape)[:0])
        parts = [empty] * self.folds
        for images, clean, samples in self._load_samples(batches):
            rows = self.features(images)[..., self.chosen]
            folds = [fold_of(sample, self.folds) for sample in samples]
            for fold in set(folds):
                mine = torch.tensor([own == fold for own in folds])
                parts[fold] = parts[fold] + moments(rows[mine], clean[mine])
        for part in parts:
            for sums in part:
                all_reduce(sums)
        return parts

    def _without(self, parts: list[Moments], fold: int) -> Gaussian | None:
        """Return the Gaussians of other folds; None if they are too few."""
        rest = total([p for i, p in enumerate(parts) if i != fold])
        return self._gaussian(rest) if (rest.count >= 2).all() else None

    def _gaussian(self, sums: Moments) -> Gaussian:
        """Return the Gaussians, with a ridge in units of the variance."""
        mean = sums.first / sums.count.clamp_min(1)[:, None]
        square = sums.second.diagonal(dim1=1, dim2=2)
        variance = square / sums.count.clamp_min(1)[:, None] - mean.square()
        shrink = self.ridge * float(variance.mean()) + 1e-9
        return fit_gaussian(sums, shrink)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        saved = state_dict.get(f'{prefix}factor')
        if saved is not None and saved.shape != self.factor.shape:
            raise ValueError(
                f'the checkpoint is of a PatchGaussian of {len(saved)} '
                f'patches and {saved.shape[-1]} features, this one has '
                f'{len(self.factor)} and {self.factor.shape[-1]}: give it the '
                'same grid, dims and backbone'
            )
        sigma = float(state_dict.get(f'{prefix}sigma', self.smooth))
        if not math.isclose(sigma, self.smooth, rel_tol=1e-6):
            raise ValueError(
                f'the checkpoint is of a PatchGaussian with smooth={sigma:g}, '
                f'this one has {self.smooth:g}: give it the same'
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


def as_maps(output: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the maps of a backbone, which may give only one."""
    return (output,) if isinstance(output, Tensor) else output


def total(parts: Sequence[Moments]) -> Moments:
    """Return the sum of moments."""
    return sum(parts[1:], parts[0])


def fold_of(sample: DataSample, folds: int) -> int:
    """Return the fold of a face: the same for all faces of a person."""
    return fold_of_name(sample.get('subject') or sample.get('img_path'), folds)


def fold_of_name(name: str | None, folds: int) -> int:
    """Return the fold, from 0 on, of a person or a file."""
    return zlib.crc32(str(name).encode()) % folds


def smoothed(distances: Tensor, grid: tuple[int, int], sigma: float) -> Tensor:
    """Return distances (N, L) averaged with those around them.

    Weights are those of a Gaussian with a standard deviation of ``sigma``
    patches, over the patches inside the grid only; 0 changes nothing.
    """
    if not sigma:
        return distances
    rows, columns = (_weights(side, sigma, distances) for side in grid)
    maps = distances.view(-1, *grid)
    return (rows @ maps @ columns.T).flatten(1)


def _weights(side: int, sigma: float, like: Tensor) -> Tensor:
    """Return the (side, side) weights of an axis; rows add up to 1."""
    place = torch.arange(side, device=like.device, dtype=like.dtype)
    away = (place[:, None] - place) / sigma
    return (-away.square() / 2).softmax(dim=1)
