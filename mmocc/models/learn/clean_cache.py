"""Features of images on disk: LEARN computes them once.

They are those of clean images; and of their occluded twins, where an image has
a few fixed ones (``variants`` of ``mmocc.BatchOccluder``).

Each image has a file, named after its path, its number in the data set and
the precision of computation; each twin has one as well, named also after its
own number and its occluder. The file holds the feature and a digest of the
clean image's pixels, so that other pixels never get this feature. For a
feature map (C, H, W) it takes C * H * W * bytes of the type + less than 1 KiB:
in float16, at 224 pixels, 49 KiB for VGG-16 and 196 KiB for ResNet-50.
"""

import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmocc.models.folder_cache import (
    FolderCache,
    digest,
    precision_of,
    raw_bytes,
    read_arrays,
)
from mmocc.models.learn.occluder_draws import current_variant

DTYPES = ('float32', 'float16', 'bfloat16')
ARRAYS = ('feat', 'pixels')  # of a file
VERSION = 2  # of what the files hold


class CleanCache(FolderCache):
    """Computes the features that are not in a folder yet.

    New features are rounded to ``dtype`` as well, so that it does not matter
    which of them are in the folder.

    Args:
        folder: Where the files are; created if missing.
        settings: Configs of the modules before LEARN, the backbone's first.
        dtype: Type in which features are stored. ``float32`` loses nothing;
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
        """Raise ValueError if other modules than these filled the folder.

        Args:
            parts: The modules before LEARN, in the order of their configs.
        """
        names = ['backbone', *(f'neck {i}' for i in range(len(parts) - 1))]
        self.check_key(
            (
                t
                for part in parts
                for t in (*part.parameters(), *part.buffers())
            ),
            lambda: dict(
                zip(names, map(digest, parts, self.settings), strict=True),
                version=VERSION,
                clean_cache_dtype=str(self.dtype),
            ),
        )

    def __call__(
        self,
        compute: Callable[[Tensor], Tensor],
        images: Tensor,
        occluder: nn.Module | None,
        samples: Sequence[BaseDataElement],
    ) -> Tensor:
        """Return the features of N clean images and their occluded twins.

        Args:
            compute: Returns the features of images.
            images: (N, 3, H, W), the clean ones.
            occluder: Makes the twins; with ``variants`` only those that are
                not in the folder. None: there are no twins.
            samples: N samples, with the path and number of each image.

        Returns:
            (2N or N, ...) features, the clean images' first.

        Raises:
            FloatingPointError: If a feature is not finite in ``dtype``.
            ValueError: If an image had other pixels when it was cached, or
                has no number.
        """
        names = [_name(sample) for sample in samples]
        pixels = [_hash(raw_bytes(image)) for image in images.cpu()]
        if variants := getattr(occluder, 'variants', None):
            twin = f'twin {current_variant(variants)} of {occluder.digest()}'
            names += [f'{name}, {twin}' for name in names]
            pixels += pixels
        precision = precision_of(images)
        paths = [self.path(_hash(f'{n} {precision}'.encode())) for n in names]
        rows = list(map(self._read, paths, pixels, names))
        new = [place for place, row in enumerate(rows) if row is None]
        clean = [place for place in new if place < len(images)]
        hide = [] if occluder is None else list(range(len(images)))
        if variants:
            hide = [place - len(images) for place in new[len(clean) :]]
        feats = images.new_empty(0)
        if clean or hide:
            batch = images[clean]
            if hide and occluder is not None:
                twins, _ = occluder(
                    images[hide], data_samples=[samples[i] for i in hide]
                )
                batch = torch.cat([batch, twins])
            feats = compute(batch)
        computed = feats[: len(new)].to(self.dtype).cpu().contiguous()
        for place, row in zip(new, computed, strict=True):
            self._store(paths[place], row, pixels[place], names[place])
            rows[place] = row
        with torch.autocast('cpu', enabled=False):  # it knows one half type
            known = torch.stack(rows)
        known = known.to(feats.device, feats.dtype)
        return torch.cat([known, feats[len(new) :]])

    def _store(self, path: Path, feat: Tensor, pixels: str, name: str) -> None:
        """Write the feature of an image."""
        if not feat.isfinite().all():
            raise FloatingPointError(
                f'a feature of {name} is not finite in {self.dtype}; try '
                "clean_cache_dtype='float32'"
            )
        # As bytes: NumPy does not know bfloat16.
        arrays = (feat.view(torch.uint8).numpy(), np.array(pixels))
        self.write(path, dict(zip(ARRAYS, arrays, strict=True)))

    def _read(self, path: Path, pixels: str, name: str) -> Tensor | None:
        """Return the feature of an image, or None if it must be computed."""
        if not path.exists():
            return None
        try:
            feat, stored = read_arrays(path, ARRAYS)
        except ValueError as error:
            reason = str(error).removesuffix('; delete it')
            print_log(
                f'{reason}; computed again', 'current', level=logging.WARNING
            )
            return None
        if str(stored) != pixels:
            raise ValueError(
                f'{name} had other pixels when {self.folder} was filled. If '
                'the train pipeline changes images at random (RandomFlip, '
                'RandomCrop, ColorJitter, ...), remove that from it, or set '
                'model.clean_cache=None. If the pipeline or the data have '
                'changed since, delete the folder'
            )
        return torch.from_numpy(feat).view(self.dtype)


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _name(sample: BaseDataElement) -> str:
    """Return what identifies an image, for files and messages."""
    if sample.get('sample_idx') is None:
        raise ValueError(
            'model.clean_cache knows images by their sample_idx, which these '
            'samples do not have; PackInputs must have it in its meta_keys, '
            'as it does by default'
        )
    return f'{sample.get("img_path")} (sample {sample.sample_idx})'
