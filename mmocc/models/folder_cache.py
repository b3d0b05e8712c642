"""Outputs of frozen modules on disk, so that they are computed once.

A folder holds ``key.json``, the digests of the modules that filled it, and one
``.npz`` file for each image. Several processes may share it: each file is
written under a unique name and then renamed. So no process reads half a file,
and a killed process leaves nothing that hinders the next one.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from torch import Tensor, nn

Key = dict[str, str | int]


def raw_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor of any type, on any device."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _plain(value: object) -> object:
    """Return a config without ``init_cfg``: the weights are in the digest."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != 'init_cfg'}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | str) else repr(value)


def digest(module: nn.Module | None, settings: object) -> str:
    """Return a digest of a module's weights and its config."""
    text = json.dumps(_plain(settings), sort_keys=True)
    blake = blake2b(text.encode(), digest_size=16)
    for name, tensor in module.state_dict().items() if module else ():
        blake.update(name.encode() + raw_bytes(tensor))
    return blake.hexdigest()


def precision_of(images: Tensor) -> torch.dtype:
    """Return the type that is computed in: autocast's, if it is on."""
    one = images.new_ones(1, 1)
    return (one @ one).dtype


def image_names(images: Tensor) -> list[str]:
    """Return a digest of the pixels of each image (N, 3, H, W), as its name.

    It includes the precision: runs with and without AMP share nothing.
    """
    start = f'{precision_of(images)} {tuple(images.shape[1:])}'.encode()
    pixels = images.detach().float().cpu()
    return [
        blake2b(start + raw_bytes(image), digest_size=16).hexdigest()
        for image in pixels
    ]


class FolderCache:
    """One file for each image, and the key of the modules that computed them.

    Args:
        folder: Where the files are; created if missing.
        option: The option that names the folder, for messages.
        limit_gib: Size in GiB from which nothing more is written.
    """

    full_hint = ''  # what may be wrong if the limit is reached

    def __init__(
        self, folder: str | Path, option: str, limit_gib: float = 50.0
    ) -> None:
        self.folder = Path(folder)
        self.option = option
        self.limit = int(limit_gib * 2**30)
        self.size = 0
        self.state = None  # of the weights when the key was checked

    def path(self, name: str) -> Path:
        """Return the file for a name, which is a digest."""
        return self.folder / name[:2] / f'{name}.npz'

    def check_key(
        self, tensors: Iterable[Tensor], make_key: Callable[[], Key]
    ) -> None:
        """Compare the folder's key with the modules', if these changed.

        Args:
            tensors: The modules' parameters and buffers: they tell a change.
            make_key: Returns a digest for each module.

        Raises:
            ValueError: If the keys differ; the message says where.
        """
        state = hash(tuple((id(t), t._version) for t in tensors))
        if state == self.state:
            return
        key, path = make_key(), self.folder / 'key.json'
        if path.exists():
            stored = json.loads(path.read_text(encoding='utf-8'))
            other = [name for name in key if key[name] != stored.get(name)]
            if other:
                raise ValueError(
                    f'{self.folder} was filled by other stages: weights or '
                    f'settings of {", ".join(other)} differ; delete the '
                    f'folder, or set {self.option} to another'
                )
        else:
            with _whole(path) as part:
                part.write_text(json.dumps(key, indent=1), encoding='utf-8')
        files = self.folder.glob('*/*.npz')
        self.size = sum(file.stat().st_size for file in files)
        self.state = state

    def write(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        """Write one image's arrays, unless the folder is full."""
        if self.size >= self.limit:
            return
        with _whole(path) as part, part.open('wb') as file:
            np.savez(file, **arrays)
        # The other processes write about as much.
        self.size += path.stat().st_size * get_world_size()
        if self.size >= self.limit:
            print_log(
                f'{self.folder} has reached {self.limit / 2**30:g} GiB: '
                f'nothing more is cached.{self.full_hint}',
                logger='current',
                level=logging.WARNING,
            )


def read_arrays(path: Path, names: Iterable[str]) -> list[np.ndarray]:
    """Return one image's arrays, in the order of their names.

    Raises:
        ValueError: If the file cannot be read.
    """
    try:
        with np.load(path) as file:
            return [file[name] for name in names]
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(
            f'cannot read the cached {path}: {error}; delete it'
        ) from None


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a unique path to write to, which becomes ``path`` afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f'.{uuid4().hex}.part')
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
