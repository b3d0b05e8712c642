"""Outputs of the frozen stages on disk, so that they are computed once.

A folder holds ``key.json``, the digests of the stages that filled it, and one
``.npz`` file for each image, under the digest of the image as the stages see
it. So a changed pipeline, or a mirrored image, finds no file and is computed
anew, and a changed stage is refused.
"""

import json
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmocc.models.classifiers.frozen_stages import FrozenStages, StageOutputs

VERSION = 1  # of what the files hold


def _bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor of any type, wherever it is."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _plain(value: object) -> object:
    """Return a config without ``init_cfg``: weights are digested as such."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != 'init_cfg'}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | str) else repr(value)


def digest(module: nn.Module | None, settings: object) -> str:
    """Return a digest of a module's weights and its config."""
    text = json.dumps(_plain(settings), sort_keys=True)
    found = blake2b(text.encode(), digest_size=16)
    for name, tensor in module.state_dict().items() if module else ():
        found.update(name.encode() + _bytes(tensor))
    return found.hexdigest()


def stage_key(stages: FrozenStages) -> dict[str, str | int]:
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
    one = images.new_ones(1, 1)
    precision = (one @ one).dtype  # what autocast makes of it, if it is on
    start = f'{precision} {tuple(images.shape[1:])}'.encode()
    pixels = images.detach().float().cpu()
    return [
        blake2b(start + _bytes(image), digest_size=16).hexdigest()
        for image in pixels
    ]


class StageCache:
    """Runs frozen stages on images that are not in a folder yet.

    Several processes may share the folder.

    Args:
        folder: Where the files are; made if missing.
        limit_gib: Size in GiB from which nothing more is written. Images that
            are changed at random before the stages are new in each epoch, and
            would fill any disk.
    """

    def __init__(self, folder: str | Path, limit_gib: float = 50.0) -> None:
        self.folder = Path(folder)
        self.limit = int(limit_gib * 2**30)
        self.size = 0
        self.state = None  # of the weights when the key was checked

    def __call__(self, stages: FrozenStages, images: Tensor) -> StageOutputs:
        """Return what the stages make of N images (N, 3, H, W).

        Raises:
            ValueError: If the folder was filled by other stages, or a file in
                it cannot be read.
        """
        self.check(stages)
        paths = [
            self.folder / name[:2] / f'{name}.npz'
            for name in image_names(images)
        ]
        rows = [_read(path) if path.exists() else None for path in paths]
        new = [place for place, row in enumerate(rows) if row is None]
        if new:
            made = _rows(stages(images[new]))
            for place, row in zip(new, made, strict=True):
                rows[place] = row
                self._write(paths[place], row)
        *parts, grids = zip(*rows, strict=True)
        tensors = (torch.stack(part).to(images.device) for part in parts)
        return StageOutputs(*tensors, grids[0])

    def check(self, stages: FrozenStages) -> None:
        """Compare the folder's key with the stages', where they changed.

        Raises:
            ValueError: If they differ; the message says in what.
        """
        tensors = [*stages.parameters(), *stages.buffers()]
        state = hash(tuple((id(t), t._version) for t in tensors))
        if state == self.state:
            return
        key, path = stage_key(stages), self.folder / 'key.json'
        if path.exists():
            found = json.loads(path.read_text())
            other = [name for name in key if key[name] != found.get(name)]
            if other:
                raise ValueError(
                    f'{self.folder} was filled by other stages: weights or '
                    f'settings of {", ".join(other)} differ; delete the '
                    'folder, or set the cache of mmocc.LatentOFER to another'
                )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps(key, indent=1).encode())
        files = self.folder.glob('*/*.npz')
        self.size = sum(file.stat().st_size for file in files)
        self.state = state

    def _write(self, path: Path, row: StageOutputs) -> None:
        """Write one image's outputs, unless the folder is full."""
        if self.size >= self.limit:
            return
        path.parent.mkdir(exist_ok=True)
        arrays = dict(
            faces=row.faces.half().numpy(),
            latents=row.latents.half().numpy(),
            mask=row.mask.numpy(),
            distances=row.distances.numpy(),
            grid=np.array(row.grid or (), np.int64),
        )
        part = path.with_suffix(f'.{os.getpid()}.part')
        with part.open('wb') as file:
            np.savez(file, **arrays)
        part.replace(path)
        self.size += path.stat().st_size
        if self.size >= self.limit:
            print_log(
                f'{self.folder} has reached {self.limit / 2**30:g} GiB: '
                'nothing more is cached. Random transforms before '
                'mmocc.LatentOFER make every image new; its own flip_prob '
                'does not',
                logger='current',
                level=30,
            )


def _rows(outputs: StageOutputs) -> Iterator[StageOutputs]:
    """Yield the outputs of each image, on the CPU."""
    *tensors, grid = outputs
    for parts in zip(*(t.cpu() for t in tensors), strict=True):
        yield StageOutputs(*parts, grid)


def _read(path: Path) -> StageOutputs:
    """Return one image's outputs."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in StageOutputs._fields}
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(
            f'cannot read the cached {path}: {error}; delete it'
        ) from None
    *arrays, grid = arrays.values()
    tensors = [torch.from_numpy(a) for a in arrays]
    tensors = [t.float() if t.is_floating_point() else t for t in tensors]
    return StageOutputs(*tensors, tuple(grid.tolist()) or None)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that no other process sees a part of it."""
    part = path.with_suffix(f'.{os.getpid()}.part')
    part.write_bytes(content)
    part.replace(path)
