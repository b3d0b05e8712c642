"""Stages 1 to 3 of Latent-OFER, as stage 4 uses them: frozen.

The detector finds the occluded patches of a photo, the extractor encodes what
is left of it, and the reconstructor redraws the rest.
"""

import copy
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS


class StageOutputs(NamedTuple):
    """What the frozen stages make of N photos.

    Faces and latents are rounded to float16, so that they are the same
    whether they come from a cache on disk or not.

    Attributes:
        faces: (N, 3, H, W) float32 redrawn faces, normalised as the photos.
        latents: (N, 1 + L, D) float32 with the class token first, or
            (N, L, D); (N, 0, 0) without an extractor.
        mask: (N, L) bool, True where a patch was found to be occluded;
            (N, 0) without a detector.
        distances: (N, L) float32, the detector's; (N, 0) without one.
        grid: (gh, gw) of the patches, gh * gw = L; None where there are none.
    """

    faces: Tensor
    latents: Tensor
    mask: Tensor
    distances: Tensor
    grid: tuple[int, int] | None


def mirror_patches(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mirror values of patches left to right, as their images were.

    Args:
        values: (N, L, ...), or (N, 1 + L, ...) with the class token first,
            which stays; (N, 0, ...) stays as it is.
        grid: (gh, gw) with gh * gw = L.

    Raises:
        ValueError: If the number of values does not fit the grid.
    """
    height, width = grid
    extra = values.shape[1] - height * width
    if values.shape[1] == 0:
        return values
    if extra not in (0, 1):
        raise ValueError(
            f'{values.shape[1]} values do not fit {height} x {width} patches'
        )
    rows = values[:, extra:].unflatten(1, (height, width))
    return torch.cat([values[:, :extra], rows.flip(2).flatten(1, 2)], dim=1)


def mirror_outputs(outputs: StageOutputs, which: Tensor) -> StageOutputs:
    """Mirror some faces left to right, with all that belongs to them.

    Args:
        outputs: Of N faces; not changed.
        which: (N,) bool, the faces to mirror.
    """
    *tensors, grid = outputs
    mirrored = [outputs.faces.flip(-1)]
    mirrored += [mirror_patches(o, grid) if grid else o for o in tensors[1:]]
    chosen = (
        torch.where(which.view(-1, *[1] * (old.ndim - 1)), new, old)
        for old, new in zip(tensors, mirrored, strict=True)
    )
    return StageOutputs(*chosen, grid)


class FrozenStages(BaseModule):
    """Extractor, detector and reconstructor; never trained, always in eval.

    The extractor is built once: a detector or reconstructor whose config has
    ``extractor=None`` uses it too.

    Args:
        extractor: Config of ``mmocc.PatchLatentExtractor``; None gives no
            latents.
        detector: Config of a detector of occluded patches; None hides
            nothing.
        reconstructor: Config of a reconstructor; without one faces and
            latents are those of the photo, whatever the detector says.
        latents: ``decoder``, those of the patches that were seen and those
            that were redrawn; or ``encoder``, those of the redrawn face.

    Raises:
        ValueError: If there is a reconstructor, but no detector, or if
            ``latents`` is unknown.
    """

    def __init__(
        self,
        extractor: dict | None = None,
        detector: dict | None = None,
        reconstructor: dict | None = None,
        latents: str = 'decoder',
    ) -> None:
        super().__init__()
        if reconstructor is not None and detector is None:
            raise ValueError(
                'a reconstructor needs a detector, which says what to redraw'
            )
        if latents not in ('decoder', 'encoder'):
            raise ValueError(f"latents {latents!r}: 'decoder' or 'encoder'")
        self.latents = latents
        self.settings = dict(
            extractor=copy.deepcopy(extractor),
            detector=copy.deepcopy(detector),
            reconstructor=copy.deepcopy(reconstructor),
            latents=latents,
        )
        self.extractor = extractor and MODELS.build(extractor)
        self.detector = self._build(detector)
        self.reconstructor = self._build(reconstructor)
        self.requires_grad_(False)
        self.train(False)

    def _build(self, cfg: dict | None) -> nn.Module | None:
        """Build a stage that may share the extractor."""
        if cfg is None:
            return None
        shares = self.extractor is not None and cfg.get('extractor') is None
        if shares and 'extractor' in cfg:
            cfg = dict(cfg, extractor=self.extractor)
        stage = MODELS.build(cfg)
        if shares and hasattr(stage, 'share_extractor'):
            # No longer a part of the stage: checkpoints hold it once
            stage.share_extractor(self.extractor)
        return stage

    def train(self, mode: bool = True) -> 'FrozenStages':
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> StageOutputs:
        """Detect, redraw and encode N photos (N, 3, H, W), normalised.

        Raises:
            ValueError: If the size of the images is no multiple of the patch,
                or the detector's patches are not the extractor's.
        """
        none = images.new_zeros(len(images), 0)
        faces, latents, tokens = images, none[..., None], None
        distances, mask, grid = self._detect(images)
        if self.extractor is not None:
            hidden = None if self.reconstructor is None else mask
            tokens = self.extractor(images, hidden)
            latents = tokens.decoder
        if self.reconstructor is not None:
            faces = self.reconstructor.reconstruct(images, mask, tokens)
        if self.extractor is not None and self.latents == 'encoder':
            latents = self.extractor.encode(faces)
        return StageOutputs(
            faces.half().float(),
            latents.half().float(),
            mask,
            distances.float(),
            grid,
        )

    def _detect(
        self, images: Tensor
    ) -> tuple[Tensor, Tensor, tuple[int, int] | None]:
        """Return distances, mask and grid."""
        own = None
        if self.extractor is not None:
            own = tuple(self.extractor.grid(*images.shape[-2:]))
        if self.detector is None:
            none = images.new_zeros(len(images), 0)
            return none, none.bool(), own
        distances, mask, grid = self.detector.detect(images)
        if own not in (None, tuple(grid)):
            raise ValueError(
                f'the detector finds {tuple(grid)} patches, the extractor has '
                f'{own}: both must be made for one size of patch'
            )
        return distances, mask, tuple(grid)
