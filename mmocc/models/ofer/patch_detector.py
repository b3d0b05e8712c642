"""What all detectors of occluded patches have in common."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.ofer.stage_model import StageModel
from mmocc.models.ofer.svdd import quantile_radius
from mmocc.occlusion.patches import upsample_patch_mask


class PatchDetection(NamedTuple):
    """Which patches of N images are occluded.

    Attributes:
        distances: (N, L) float32, higher for stranger patches.
        mask: (N, L) bool, True where the distance exceeds the radius.
        grid: (gh, gw), gh * gw = L.
    """

    distances: Tensor
    mask: Tensor
    grid: tuple[int, int]


class PatchDetector(StageModel):
    """Base of detectors: a distance for each patch, and a radius.

    A patch further than the radius is occluded (arXiv 2307.11404, section
    3.1), with no smoothing of the mask. The radius is a buffer; 0 means that
    it is not known yet. :meth:`fit` sets it from clean patches.

    Subclasses give :meth:`patch_distances`.

    Args:
        extractor: ``mmocc.PatchLatentExtractor``, or its config; None if a
            model around it shares its own by :meth:`share_extractor`.
        nu: Share of clean patches that may count as occluded, in (0, 1).
        radius: What is known of it beforehand; 0 to have it fitted.
        data_preprocessor: That of the MAE's training; its type is
            ``ClsDataPreprocessor`` unless it names another.
        init_cfg: As in any model.

    Raises:
        ValueError: If ``nu`` is not in (0, 1); while running, if no radius is
            known.
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        nu: float = 0.1,
        radius: float = 0.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(extractor, data_preprocessor, init_cfg)
        if not 0 < nu < 1:
            raise ValueError(f'nu is {nu}; it must be in (0, 1)')
        self.nu = nu
        self.register_buffer('radius', torch.tensor(float(radius)))

    @abstractmethod
    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 distances.

        Args:
            images: (N, 3, H, W), normalised.
        """

    @torch.no_grad()
    def detect(self, images: Tensor) -> PatchDetection:
        """Return the occluded patches.

        Args:
            images: (N, 3, H, W), normalised.

        Raises:
            ValueError: If no radius is known, or the images do not fit the
                patch grid.
        """
        if not self.radius > 0:
            raise ValueError(
                f'{type(self).__name__} has no radius to tell occluded from '
                "clean patches; train it with dict(type='mmocc.FitRadiusHook'"
                ') in custom_hooks, load a checkpoint of it, or set `radius`'
            )
        grid = self.extractor.grid(*images.shape[-2:])
        distances = self.patch_distances(images)
        return PatchDetection(distances, distances > self.radius, grid)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return distances, losses or samples, as other models do.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples, or None.
            mode: ``tensor``, ``loss`` or ``predict``.

        Raises:
            ValueError: If ``mode`` is none of these.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.patch_distances(inputs)
        raise ValueError(f'mode={mode!r} is none of tensor, loss, predict')

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return the losses; detectors that learn nothing have none.

        Raises:
            RuntimeError: Always, unless a subclass has something to learn.
        """
        raise RuntimeError(
            f'{type(self).__name__} has nothing to train; fit its radius '
            'with mmocc.FitRadiusHook in the training of another model'
        )

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
    ) -> list[DataSample]:
        """Set the samples' detections.

        Each gets ``pred_patch_dist`` (L,), ``pred_patch_mask`` (L,) bool,
        ``pred_occlusion_mask`` (H, W) bool, and ``patch_grid`` (gh, gw) as
        metainfo.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples; None for new ones.
        """
        found = self.detect(inputs)
        size = tuple(inputs.shape[-2:])
        masks = upsample_patch_mask(found.mask, found.grid, size)[:, 0]
        samples = data_samples or [DataSample() for _ in inputs]
        for place, sample in enumerate(samples):
            sample.set_field(found.distances[place], 'pred_patch_dist')
            sample.set_field(found.mask[place], 'pred_patch_mask')
            sample.set_field(masks[place], 'pred_occlusion_mask')
            sample.set_metainfo(dict(patch_grid=found.grid))
        return samples

    @torch.no_grad()
    def fit(self, batches: Iterable[dict]) -> int:
        """Fit the radius to clean patches; return their number.

        Args:
            batches: Of a dataloader; in each process a share of them. What
                ``patch_coverage`` of a sample says is occluded does not
                count.

        Raises:
            ValueError: If there is no clean patch.
        """
        mode = self.training
        self.eval()
        distances = gather(
            [
                self.patch_distances(x)[clean]
                for x, clean in self._load(batches)
            ]
        )
        self.train(mode)
        self.radius.fill_(quantile_radius(distances, self.nu))
        return len(distances)

    def _load(self, batches: Iterable[dict]) -> Iterable[tuple]:
        """Yield images and the (N, L) bool of patches that are clean."""
        for data in batches:
            data = self.data_preprocessor(data, False)
            images = data['inputs']
            grid = self.extractor.grid(*images.shape[-2:])
            yield images, clean_patches(data.get('data_samples'), images, grid)


def gather(parts: list[Tensor]) -> Tensor:
    """Return what all processes have, one after the other, on the CPU."""
    if not parts:
        raise ValueError('the dataloader of clean patches is empty')
    mine = torch.cat([part.cpu() for part in parts])
    return torch.cat(all_gather_object(mine))


def clean_patches(
    data_samples: list[DataSample] | None,
    images: Tensor,
    grid: tuple[int, int],
) -> Tensor:
    """Return the (N, L) bool of patches that nothing covers.

    Args:
        data_samples: N samples; those without ``patch_coverage`` (gh, gw) are
            clean.
        images: (N, 3, H, W).
        grid: (gh, gw) of the images.

    Raises:
        ValueError: If a coverage is of another grid.
    """
    clean = torch.ones(len(images), grid[0] * grid[1], dtype=torch.bool)
    for row, sample in zip(clean, data_samples or [], strict=False):
        coverage = sample.get('patch_coverage')
        if coverage is None:
            continue
        if tuple(coverage.shape) != tuple(grid):
            raise ValueError(
                f'{sample.get("img_path", "a sample")}: patch_coverage is '
                f'{tuple(coverage.shape)}, the model has {tuple(grid)} '
                'patches; give mmocc.PasteOcclusion the patch_size of the '
                'model, after all steps that change the size'
            )
        row.copy_(torch.as_tensor(coverage).flatten() == 0)
    return clean.to(images.device)
