"""Reconstructors of hidden patches: what they share, and that of an MAE."""

from abc import abstractmethod

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.ofer.patch_latent_extractor import PatchLatents
from mmocc.models.ofer.stage_model import StageModel, sample_coverage, to_rgb
from mmocc.occlusion.patches import upsample_patch_mask
from mmocc.registry import MODELS


class BaseReconstructor(StageModel):
    """Base of the models that reconstruct hidden patches by :meth:`fill`.

    Args:
        coverage_threshold: ``predict`` reconstructs the patches of which more
            than this is occluded, by the samples' ``patch_coverage``; in [0,
            1), otherwise ValueError.
        **kwargs: Of :class:`StageModel`; its extractor gives the coarse
            picture.
    """

    def __init__(self, coverage_threshold: float = 0.0, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 <= coverage_threshold < 1:
            raise ValueError(
                f'coverage_threshold={coverage_threshold} is not in [0, 1)'
            )
        self.coverage_threshold = coverage_threshold

    @abstractmethod
    def fill(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return pictures (N, 3, H, W); only the hole's pixels are used.

        Args:
            images: (N, 3, H, W), normalised.
            hole: (N, 1, H, W) bool, True is hidden.
            coarse: (N, 3, H, W), the MAE's picture.
        """

    def encode(self, images: Tensor, mask: Tensor) -> PatchLatents:
        """Return the latents; ValueError if there is no extractor."""
        if self.extractor is None:
            raise ValueError(
                f'{type(self).__name__} has no extractor for the coarse '
                'picture: set extractor to a mmocc.PatchLatentExtractor, or '
                'use it inside mmocc.LatentOFER, which shares its own'
            )
        return self.extractor(images, mask)

    @torch.no_grad()
    def reconstruct(
        self,
        images: Tensor,
        mask: Tensor,
        latents: PatchLatents | None = None,
    ) -> Tensor:
        """Return (N, 3, H, W): hidden patches are new, other pixels the same.

        Args:
            images: (N, 3, H, W), normalised; the content of hidden patches has
                no influence.
            mask: (N, L), non-zero where a patch is hidden: none, some or all.
                ValueError if it does not fit the patch grid.
            latents: What the extractor makes of these, if it is known.
        """
        if latents is None:
            latents = self.encode(images, mask)
        size = tuple(images.shape[-2:])
        grid = self.extractor.grid(*size)
        hole = upsample_patch_mask(mask.bool(), grid, size)
        filled = self.fill(images, hole, latents.coarse)
        return torch.where(hole, filled.to(images.dtype), images)

    def tensor(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> Tensor:
        """Return reconstructed pictures; without samples nothing is hidden."""
        if data_samples is None:
            grid = self.extractor.grid(*inputs.shape[-2:])
            mask = inputs.new_zeros(len(inputs), grid[0] * grid[1])
        else:
            mask = self.masks_of(data_samples, inputs)
        return self.reconstruct(inputs, mask)

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> list[DataSample]:
        """Set the reconstructed faces of N samples.

        Each gets ``recon`` (3, H, W) float32 RGB in 0 to 255 with its visible
        pixels unchanged, ``pred_patch_mask`` (L,) bool, and ``patch_grid``
        (gh, gw) as metainfo.
        """
        mask = self.masks_of(data_samples, inputs)
        faces = self.reconstruct(inputs, mask)
        faces = to_rgb(faces, self.data_preprocessor)
        grid = tuple(self.extractor.grid(*inputs.shape[-2:]))
        for sample, face, hidden in zip(
            data_samples, faces, mask, strict=True
        ):
            sample.set_field(face, 'recon')
            sample.set_field(hidden, 'pred_patch_mask')
            sample.set_metainfo(dict(patch_grid=grid))
        return data_samples

    def masks_of(
        self, data_samples: list[DataSample] | None, images: Tensor
    ) -> Tensor:
        """Return the hidden patches (N, L), bool, of N samples.

        These are the ``pred_patch_mask`` (L,) of a detector, or else the
        ``patch_coverage`` (gh, gw) of ``mmocc.PasteOcclusion``. ValueError if
        a sample has neither, or one that does not fit the images (N, 3, H, W).
        """
        grid = tuple(self.extractor.grid(*images.shape[-2:]))
        masks = []
        for sample in data_samples or [DataSample() for _ in images]:
            mask = sample.get('pred_patch_mask')
            if mask is None:
                coverage = sample_coverage(sample, grid)
                if coverage is not None:
                    mask = coverage > self.coverage_threshold
            if mask is None or mask.numel() != grid[0] * grid[1]:
                raise ValueError(
                    f'{sample.get("img_path", "a sample")} does not tell '
                    f'which of its {grid} patches are hidden: put '
                    'mmocc.PasteOcclusion with the patch_size of the model '
                    "into the pipeline, and 'patch_coverage' into the "
                    'meta_keys of PackInputs'
                )
            masks.append(torch.as_tensor(mask).flatten().bool())
        return torch.stack(masks).to(images.device)


@MODELS.register_module()
class MAEReconstructor(BaseReconstructor):
    """Fill hidden patches with the coarse picture of the extractor's MAE.

    What tables 2 and 9 of Latent-OFER call MAE. Nothing is trained; arguments
    are those of :class:`BaseReconstructor`.
    """

    def fill(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return the coarse pictures (N, 3, H, W)."""
        return coarse
