"""Clean features of a fixed data set on disk: LEARN computes them once.

Each image has a file, by its path and its number in the data set. A file is

    C * H * W * bytes of the type + less than 1 KiB

long for a feature map (C, H, W): in float16, at 224 pixels, 49 KiB for VGG-16
(512, 7, 7) and 196 KiB for ResNet-50 (2048, 7, 7). It holds a fingerprint of
the image as well: if the backbone is ever shown other pixels, the feature is
not that image's, and the run stops.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmocc.models.folder_cache import (
    FolderCache,
    Key,
    digest,
    precision_of,
    read_arrays,
)

DTYPES = ('float32', 'float16', 'bfloat16')
VERSION = 1  # of what the files hold


@lru_cache(maxsize=4)
def _weights(length: int, device: torch.device) -> Tensor:
    """Return odd numbers, the same in every process and version."""
    state = np.random.RandomState(0)
    found = state.randint(-(2**63), 2**63 - 1, length, np.int64) | 1
    return torch.from_numpy(found).to(device)


def fingerprints(images: Tensor) -> list[int]:
    """Return 64 bits for each image, which other pixels do not have.

    A sum in integers, on the images' device: exact, in whatever order.

    Args:
        images: (N, ...) of any type.
    """
    bits = images.detach().float().contiguous().view(torch.int32).flatten(1)
    weights = _weights(bits.shape[1], images.device)
    sums = [(row.long() * weights).sum() for row in bits]
    return torch.stack(sums).tolist()


def names_of(images: Tensor, samples: Sequence[BaseDataElement]) -> list[str]:
    """Return a name for each image: path, number, and type of computation.

    Raises:
        ValueError: If a sample does not have its number.
    """
    precision, names = precision_of(images), []
    for sample in samples:
        if sample.get('sample_idx') is None:
            raise ValueError(
                'model.clean_cache knows images by their sample_idx, which '
                'these samples do not have: have it among the meta_keys of '
                'PackInputs, as it is by default'
            )
        who = f'{sample.get("img_path")} {sample.sample_idx} {precision}'
        names.append(blake2b(who.encode(), digest_size=16).hexdigest())
    return names


class CleanCache(FolderCache):
    """Computes the features of clean images that are not in a folder yet.

    Features are rounded to ``dtype`` in the first epoch as well, so that it
    does not matter which of them are there already.

    Args:
        folder: Where the files are; made if missing.
        settings: Configs of the modules before LEARN, the backbone's first.
        dtype: Type in which features are kept. ``float32`` loses nothing;
            ``float16`` at most 0.05 % of a value (2^-11), and cannot hold
            values above 65504; ``bfloat16`` at most 0.4 % (2^-8).
        limit_gib: Size in GiB from which nothing more is written.

    Raises:
        ValueError: If the type is unknown.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: Sequence[dict],
        dtype: str = 'float16',
        limit_gib: float = 50.0,
    ) -> None:
        super().__init__(folder, 'model.clean_cache', limit_gib)
        if dtype not in DTYPES:
            raise ValueError(
                f'unknown clean_cache_dtype {dtype!r}; choose from '
                f'{", ".join(DTYPES)}'
            )
        self.dtype = getattr(torch, dtype)
        self.settings = settings

    def check(self, parts: Sequence[nn.Module]) -> None:
        """Check that the folder was filled by these modules, if by any.

        Args:
            parts: The modules before LEARN, in the order of their configs.

        Raises:
            ValueError: If it was filled by others.
        """
        tensors = (
            tensor
            for part in parts
            for tensor in (*part.parameters(), *part.buffers())
        )
        self.check_key(tensors, lambda: self._key(parts))

    def _key(self, parts: Sequence[nn.Module]) -> Key:
        """Return what tells the modules apart: a digest for each."""
        names = ['backbone', *(f'neck {i}' for i in range(len(parts) - 1))]
        digests = map(digest, parts, self.settings)
        return dict(
            version=VERSION,
            clean_cache_dtype=str(self.dtype),
            **dict(zip(names, digests, strict=True)),
        )

    def __call__(
        self,
        compute: Callable[[Tensor], Tensor],
        images: Tensor,
        occluded: Tensor,
        samples: Sequence[BaseDataElement],
    ) -> Tensor:
        """Return the features of clean images and of their occluded twins.

        Args:
            compute: Returns the features of images.
            images: (N, 3, H, W), the clean ones.
            occluded: (N, 3, H, W).
            samples: N samples, which say what images these are.

        Returns:
            (2N, ...) features, the clean images' first.

        Raises:
            FloatingPointError: If a feature is not finite in ``dtype``.
            ValueError: If an image was another when it was cached, a sample
                does not say which it is, or a file cannot be read.
        """
        paths = [self.path(name) for name in names_of(images, samples)]
        marks = fingerprints(images)
        rows = [
            self._read(path, mark, sample) if path.exists() else None
            for path, mark, sample in zip(paths, marks, samples, strict=True)
        ]
        new = [place for place, row in enumerate(rows) if row is None]
        shown = torch.cat([images[new], occluded]) if new else occluded
        feats = compute(shown)
        made = feats[: len(new)].to(self.dtype).cpu()
        for place, row in zip(new, made, strict=True):
            self._keep(paths[place], marks[place], row, samples[place])
            rows[place] = row
        with torch.autocast('cpu', enabled=False):  # it knows one half type
            clean = torch.stack(rows)
        clean = clean.to(feats.device).to(feats.dtype)
        return torch.cat([clean, feats[len(new) :]])

    def _keep(
        self, path: Path, mark: int, row: Tensor, sample: BaseDataElement
    ) -> None:
        """Write the feature of an image."""
        if not row.isfinite().all():
            raise FloatingPointError(
                f'a feature of {_name(sample)} is not finite in '
                f'{str(self.dtype).removeprefix("torch.")}; try '
                "clean_cache_dtype='float32'"
            )
        if self.dtype == torch.bfloat16:  # of which NumPy knows nothing
            row = row.view(torch.int16)
        self.write(path, dict(feat=row.numpy(), mark=np.array(mark)))

    def _read(self, path: Path, mark: int, sample: BaseDataElement) -> Tensor:
        """Return the feature of an image."""
        feat, found = read_arrays(path, ('feat', 'mark'))
        if int(found) != mark:
            raise ValueError(
                f'{_name(sample)} had other pixels when {self.folder} was '
                'filled. If the train pipeline changes images at random '
                '(RandomFlip, RandomCrop, ColorJitter, ...), their features '
                'cannot be kept: take that out of it, or set '
                'model.clean_cache=None. If the pipeline or the data were '
                'changed since, delete the folder'
            )
        row = torch.from_numpy(feat)
        return row.view(self.dtype) if self.dtype == torch.bfloat16 else row


def _name(sample: BaseDataElement) -> str:
    """Return how a user knows an image."""
    return f'{sample.get("img_path")} (sample {sample.sample_idx})'
