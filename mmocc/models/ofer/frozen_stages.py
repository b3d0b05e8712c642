"""Stages 1 to 3 of Latent-OFER, frozen for stage 4, and a cache of them.

The cache names each file by the digest of the image as the stages see it, so a
changed or mirrored image finds no file. It refuses changed stages.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.models.folder_cache import (
    FolderCache,
    Key,
    digest,
    image_names,
    read_arrays,
)
from mmocc.models.ofer.latent_readout import patch_tokens
from mmocc.registry import MODELS

VERSION = 1  # of the format of the cache's files


class StageOutputs(NamedTuple):
    """What the frozen stages make of N photos.

    Faces and latents are rounded to float16, so that a cache does not change
    them.

    Attributes:
        faces: (N, 3, H, W) float32 reconstructed faces, normalised as the
            photos.
        latents: (N, 1 + L, D) float32 with the class token first, or (N, L,
            D); (N, 0, 0) without an extractor.
        mask: (N, L) bool, True if occluded; (N, 0) without a detector.
        distances: (N, L) float32, likewise.
        grid: (gh, gw) of the patches, gh * gw = L; None if there are none.
    """

    faces: Tensor
    latents: Tensor
    mask: Tensor
    distances: Tensor
    grid: tuple[int, int] | None


def untouched(images: Tensor) -> StageOutputs:
    """Return the outputs of stages that do nothing to (N, 3, H, W)."""
    none = images.new_zeros(len(images), 0)
    faces = images.half().float()
    return StageOutputs(faces, none[..., None], none.bool(), none, None)


def mirror_patches(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mirror values of patches left to right, like their images.

    Args:
        values: (N, L, ...), (N, 1 + L, ...) with the class token first, which
            stays, or (N, 0, ...).
        grid: (gh, gw) with gh * gw = L; otherwise ValueError.
    """
    if values.shape[1] == 0:
        return values
    patches = patch_tokens(values, grid)
    first = values[:, : values.shape[1] - patches.shape[1]]
    rows = patches.unflatten(1, grid)
    return torch.cat([first, rows.flip(2).flatten(1, 2)], dim=1)


def mirror_outputs(outputs: StageOutputs, which: Tensor) -> StageOutputs:
    """Return outputs with the faces that (N,) ``which`` marks mirrored."""
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
    ``extractor=None`` uses it too. Arguments are those of
    :class:`mmocc.models.ofer.latent_ofer.LatentOFER`.

    Raises:
        ValueError: If there is a reconstructor, but no detector, or
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
                'a reconstructor needs a detector, which says what is hidden'
            )
        if latents not in ('decoder', 'encoder'):
            raise ValueError(f"latents {latents!r}: 'decoder' or 'encoder'")
        self.latents = latents
        self.settings = copy.deepcopy(
            dict(
                extractor=extractor,
                detector=detector,
                reconstructor=reconstructor,
                latents=latents,
            )
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
            # Not a part of the stage: checkpoints hold it once
            stage.share_extractor(self.extractor)
        return stage

    def train(self, mode: bool = True) -> 'FrozenStages':
        """Stay in evaluation mode."""
        return super().train(False)

    @property
    def only_detect(self) -> bool:
        """Whether the stages change nothing that a head learns from."""
        return self.extractor is None and self.reconstructor is None

    @torch.no_grad()
    def forward(self, images: Tensor) -> StageOutputs:
        """Detect, reconstruct and encode N photos (N, 3, H, W), normalised.

        Raises:
            ValueError: If the images do not fit the patches, or the detector's
                patches are not the extractor's.
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
                f'{own}: both must have one size of patch'
            )
        return distances, mask, tuple(grid)


def stage_key(stages: FrozenStages) -> Key:
    """Return a digest for each part of the stages."""
    parts = dict(stages.named_children())
    digests = {
        name: digest(parts.get(name), settings)
        for name, settings in stages.settings.items()
    }
    return dict(version=VERSION, **digests)


class StageCache(FolderCache):
    """Runs frozen stages on images that are not in a folder yet.

    Args:
        folder: Where the files are; it is created if it is missing.
        limit_gib: Size in GiB from which nothing more is written.
    """

    full_hint = (
        ' Random transforms before mmocc.LatentOFER make every image new; its '
        'own flip_prob does not'
    )

    def __init__(self, folder: str | Path, limit_gib: float = 50.0) -> None:
        super().__init__(folder, 'the cache of mmocc.LatentOFER', limit_gib)

    def __call__(self, stages: FrozenStages, images: Tensor) -> StageOutputs:
        """Return what the stages make of N images (N, 3, H, W).

        Raises:
            ValueError: If other stages filled the folder, or a file is broken.
        """
        tensors = (*stages.parameters(), *stages.buffers())
        self.check_key(tensors, lambda: stage_key(stages))
        paths = [self.path(name) for name in image_names(images)]
        rows = [_read(path) if path.exists() else None for path in paths]
        new = [place for place, row in enumerate(rows) if row is None]
        if new:
            outputs = _rows(stages(images[new]))
            for place, row in zip(new, outputs, strict=True):
                rows[place] = row
                self.write(paths[place], _arrays(row))
        *parts, grids = zip(*rows, strict=True)
        tensors = (torch.stack(part).to(images.device) for part in parts)
        return StageOutputs(*tensors, grids[0])


def _rows(outputs: StageOutputs) -> Iterator[StageOutputs]:
    """Yield the outputs of each image, on the CPU."""
    *tensors, grid = outputs
    for parts in zip(*(t.cpu() for t in tensors), strict=True):
        yield StageOutputs(*parts, grid)


def _arrays(row: StageOutputs) -> dict[str, np.ndarray]:
    """Return one image's outputs in the form of its file."""
    return dict(
        faces=row.faces.half().numpy(),
        latents=row.latents.half().numpy(),
        mask=row.mask.numpy(),
        distances=row.distances.numpy(),
        grid=np.array(row.grid or (), np.int64),
    )


def _read(path: Path) -> StageOutputs:
    """Return one image's outputs from its file."""
    *arrays, grid = read_arrays(path, StageOutputs._fields)
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors = [t.float() if t.is_floating_point() else t for t in tensors]
    return StageOutputs(*tensors, tuple(grid.tolist()) or None)
