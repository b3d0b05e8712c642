"""What frozen modules make of images, on disk: computed once.

A folder holds ``key.json``, the digests of the modules that filled it, and one
``.npz`` file for each image. Several processes may share it: each file is
written under a name of its own and then renamed, so that none is ever seen in
part, and one that was killed leaves nothing that hinders the next.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from torch import Tensor, nn

Key = dict[str, str | int]


def raw_bytes(tensor: Tensor) -> bytes:
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
        found.update(name.encode() + raw_bytes(tensor))
    return found.hexdigest()


def precision_of(images: Tensor) -> torch.dtype:
    """Return the type that is computed in: autocast's, if it is on."""
    one = images.new_ones(1, 1)
    return (one @ one).dtype


class FolderCache:
    """One file for each image, and the key of what made them.

    Args:
        folder: Where the files are; made if missing.
        option: The option that names the folder, for messages.
        limit_gib: Size in GiB from which nothing more is written.
    """

    full_hint = ''  # what may be wrong where the limit is reached

    def __init__(
        self, folder: str | Path, option: str, limit_gib: float = 50.0
    ) -> None:
        self.folder = Path(folder)
        self.option = option
        self.limit = int(limit_gib * 2**30)
        self.size = 0
        self.state = None  # of the weights when the key was checked

    def path(self, name: str) -> Path:
        """Return where the file of an image is, by a digest of it."""
        return self.folder / name[:2] / f'{name}.npz'

    def check_key(
        self, tensors: Iterable[Tensor], make_key: Callable[[], Key]
    ) -> None:
        """Compare the folder's key with the modules', where they changed.

        Args:
            tensors: The modules' parameters and buffers, to see a change.
            make_key: Gives a digest for each of their parts.

        Raises:
            ValueError: If they differ; the message says in what.
        """
        state = hash(tuple((id(t), t._version) for t in tensors))
        if state == self.state:
            return
        key, path = make_key(), self.folder / 'key.json'
        if path.exists():
            found = json.loads(path.read_text())
            other = [name for name in key if key[name] != found.get(name)]
            if other:
                raise ValueError(
                    f'{self.folder} was filled by other stages: weights or '
                    f'settings of {", ".join(other)} differ; delete the '
                    f'folder, or set {self.option} to another'
                )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = _part(path)
            part.write_text(json.dumps(key, indent=1))
            part.replace(path)
        files = self.folder.glob('*/*.npz')
        self.size = sum(file.stat().st_size for file in files)
        self.state = state

    def write(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        """Write one image's arrays, unless the folder is full."""
        if self.size >= self.limit:
            return
        path.parent.mkdir(exist_ok=True)
        part = _part(path)
        try:
            with part.open('wb') as file:
                np.savez(file, **arrays)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        # The other processes write about as much.
        self.size += path.stat().st_size * get_dist_info()[1]
        if self.size >= self.limit:
            print_log(
                f'{self.folder} has reached {self.limit / 2**30:g} GiB: '
                f'nothing more is cached.{self.full_hint}',
                logger='current',
                level=30,
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


def _part(path: Path) -> Path:
    """Return a name beside a file that no other process uses."""
    return path.with_suffix(f'.{uuid4().hex}.part')
