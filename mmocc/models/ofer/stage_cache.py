"""Outputs of the frozen stages on disk, so that they are computed once.

Each file of the folder is under the digest of the image as the stages see it.
So a changed pipeline, or a mirrored image, finds no file and is computed anew,
and a changed stage is refused.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmocc.models.folder_cache import (
    FolderCache,
    Key,
    digest,
    precision_of,
    raw_bytes,
    read_arrays,
)
from mmocc.models.ofer.stages import FrozenStages, StageOutputs

VERSION = 1  # of what the files hold


def stage_key(stages: FrozenStages) -> Key:
    """Return what tells stages apart: a digest for each part."""
    parts = dict(stages.named_children())
    digests = {
        name: digest(parts.get(name), settings)
        for name, settings in stages.settings.items()
    }
    return dict(version=VERSION, **digests)


def image_names(images: Tensor) -> list[str]:
    """Return a name for each image (N, 3, H, W): a digest of its pixels.

    The precision of computation is in it as well: a run with mixed precision
    and one without share no files.
    """
    start = f'{precision_of(images)} {tuple(images.shape[1:])}'.encode()
    pixels = images.detach().float().cpu()
    return [
        blake2b(start + raw_bytes(image), digest_size=16).hexdigest()
        for image in pixels
    ]


class StageCache(FolderCache):
    """Runs frozen stages on images that are not in a folder yet.

    Args:
        folder: Where the files are; made if missing.
        limit_gib: Size in GiB from which nothing more is written. Images that
            are changed at random before the stages are new in each epoch, and
            would fill any disk.
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
            ValueError: If the folder was filled by other stages, or a file in
                it cannot be read.
        """
        tensors = (*stages.parameters(), *stages.buffers())
        self.check_key(tensors, lambda: stage_key(stages))
        paths = [self.path(name) for name in image_names(images)]
        rows = [_read(path) if path.exists() else None for path in paths]
        new = [place for place, row in enumerate(rows) if row is None]
        if new:
            made = _rows(stages(images[new]))
            for place, row in zip(new, made, strict=True):
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
    """Return one image's outputs as they are written."""
    return dict(
        faces=row.faces.half().numpy(),
        latents=row.latents.half().numpy(),
        mask=row.mask.numpy(),
        distances=row.distances.numpy(),
        grid=np.array(row.grid or (), np.int64),
    )


def _read(path: Path) -> StageOutputs:
    """Return one image's outputs."""
    *arrays, grid = read_arrays(path, StageOutputs._fields)
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors = [t.float() if t.is_floating_point() else t for t in tensors]
    return StageOutputs(*tensors, tuple(grid.tolist()) or None)
