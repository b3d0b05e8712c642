"""What all reconstructors have in common: masks, pasting, predictions."""

from abc import abstractmethod
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.ofer.patch_latent_extractor import PatchLatents
from mmocc.models.ofer.stage_model import StageModel
from mmocc.occlusion.patches import upsample_patch_mask


class BaseReconstructor(StageModel):
    """Base of the models that redraw hidden patches.

    Subclasses give :meth:`redraw`.

    Args:
        extractor: ``mmocc.PatchLatentExtractor``, or its config, which gives
            the coarse picture; None if a model around it shares its own by
            :meth:`share_extractor`.
        coverage_threshold: In ``predict``, patches are redrawn that are
            occluded more than this, as the samples' ``patch_coverage`` says.
        data_preprocessor: As in any model: the MAE's normalisation.
        init_cfg: As in any model.

    Raises:
        ValueError: If the threshold is not in [0, 1).
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        coverage_threshold: float = 0.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(extractor, data_preprocessor, init_cfg)
        if not 0 <= coverage_threshold < 1:
            raise ValueError(
                f'coverage_threshold={coverage_threshold} is not in [0, 1)'
            )
        self.coverage_threshold = coverage_threshold

    @abstractmethod
    def redraw(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return redrawn pictures (N, 3, H, W), known pixels as well.

        Args:
            images: (N, 3, H, W), normalised.
            hole: (N, 1, H, W) bool, True is hidden.
            coarse: (N, 3, H, W), the MAE's picture.
        """

    def encode(self, images: Tensor, mask: Tensor) -> PatchLatents:
        """Return what the extractor makes of images with hidden patches.

        Raises:
            ValueError: If there is no extractor.
        """
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
        """Redraw hidden patches; known pixels are kept.

        Args:
            images: (N, 3, H, W), normalised; what stands in hidden patches
                is not looked at.
            mask: (N, L), non-zero where a patch is hidden: none, some or all
                of them.
            latents: What the extractor makes of these, if it is known.

        Returns:
            (N, 3, H, W), of the images' type.

        Raises:
            ValueError: If images or mask do not fit the patch grid.
        """
        if latents is None:
            latents = self.encode(images, mask)
        size = tuple(images.shape[-2:])
        grid = self.extractor.grid(*size)
        hole = upsample_patch_mask(mask.bool(), grid, size)
        made = self.redraw(images, hole, latents.coarse)
        return torch.where(hole, made.to(images.dtype), images)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return pictures, losses or samples, as other models do.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples; in mode ``tensor``, None hides nothing.
            mode: ``tensor``, ``loss`` or ``predict``.

        Raises:
            ValueError: If ``mode`` is none of these.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode != 'tensor':
            raise ValueError(f'mode={mode!r} is none of tensor, loss, predict')
        if data_samples is None:
            grid = self.extractor.grid(*inputs.shape[-2:])
            mask = inputs.new_zeros(len(inputs), grid[0] * grid[1])
        else:
            mask = self.masks_of(data_samples, inputs)
        return self.reconstruct(inputs, mask)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return the losses; reconstructors that learn nothing have none.

        Raises:
            RuntimeError: Always, unless a subclass has something to learn.
        """
        raise RuntimeError(
            f'{type(self).__name__} has nothing to train; the MAE is trained '
            'in stage 1'
        )

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> list[DataSample]:
        """Set the samples' redrawn faces.

        Each gets ``recon`` (3, H, W) float32 RGB in 0 to 255, with its known
        pixels as they were, ``pred_patch_mask`` (L,) bool, and ``patch_grid``
        (gh, gw) as metainfo.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples that tell what is hidden; see
                :meth:`masks_of`.
        """
        mask = self.masks_of(data_samples, inputs)
        made = self.to_rgb(self.reconstruct(inputs, mask))
        grid = tuple(self.extractor.grid(*inputs.shape[-2:]))
        rows = zip(data_samples, made, mask, strict=True)
        for sample, recon, hidden in rows:
            sample.set_field(recon, 'recon')
            sample.set_field(hidden, 'pred_patch_mask')
            sample.set_metainfo(dict(patch_grid=grid))
        return data_samples

    def masks_of(
        self, data_samples: list[DataSample] | None, images: Tensor
    ) -> Tensor:
        """Return the hidden patches (N, L), bool, that samples tell.

        That is ``pred_patch_mask`` (L,) of a detector, or where there is none
        ``patch_coverage`` (gh, gw) of ``mmocc.PasteOcclusion``.

        Args:
            data_samples: N samples.
            images: (N, 3, H, W), whose patch grid they must fit.

        Raises:
            ValueError: If a sample tells neither, or of another grid.
        """
        grid = tuple(self.extractor.grid(*images.shape[-2:]))
        masks = []
        for sample in data_samples or [DataSample() for _ in images]:
            mask, coverage = (
                sample.get(key)
                for key in ('pred_patch_mask', 'patch_coverage')
            )
            if mask is None and coverage is not None:
                coverage = torch.as_tensor(coverage)
                mask = coverage.flatten() > self.coverage_threshold
                mask = mask if tuple(coverage.shape) == grid else mask[:0]
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

    def to_rgb(self, images: Tensor) -> Tensor:
        """Undo the normalisation: (N, 3, H, W) float32 RGB in 0 to 255."""
        made = self.data_preprocessor
        images = images.float()
        if getattr(made, '_enable_normalize', False):
            images = images * made.std + made.mean
        if not getattr(made, 'to_rgb', False):
            images = images.flip(1)
        return images.clamp(0, 255)
