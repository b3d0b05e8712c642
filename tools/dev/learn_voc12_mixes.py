"""Training images of the other controls of the study on 12 classes of VOC.

For ``learn_voc12_maps.py``: images with cells hidden (Hide-and-Seek), with a
rectangle erased (RandomErasing), or with parts of another training image
(CutMix, arXiv 1905.04899; Patch Mixing, arXiv 2306.17848: cells of a grid).
In the last two the labels are mixed by the shares of both images. And images
that ``mmocc.BatchOccluder`` occludes, as it does in the configs.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmocc.models.learn.batch_occluder import BatchOccluder

HIDING = dict(  # steps of the pipeline
    has=dict(type='mmocc.HideAndSeek', fill=(127.0, 127.0, 127.0)),
    erasing=dict(
        type='RandomErasing',
        erase_prob=1.0,  # the clean images are apart
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=0.4,
        fill_color=(127.0, 127.0, 127.0),
        fill_std=(64.0, 64.0, 64.0),
    ),
)
MIXING = ('cutmix', 'patchmix')
CELL = 32  # side of Patch Mixing's cells: 7 x 7 of them


def cut(side: int, draw: np.random.Generator) -> np.ndarray:
    """Return CutMix's mask (side, side): a box, 1 - Beta(1, 1) of the area."""
    half = side * draw.random() ** 0.5 / 2
    spans = []
    for centre in draw.random(2) * side:
        ends = np.clip([centre - half, centre + half], 0, side)
        spans.append(slice(*ends.round().astype(int)))
    mask = np.zeros((side, side), bool)
    mask[tuple(spans)] = True
    return mask


def cells(side: int, draw: np.random.Generator) -> np.ndarray:
    """Return Patch Mixing's mask (side, side): Beta(1, 1) of the cells."""
    rows = side // CELL
    order = draw.permutation(rows * rows).reshape(rows, rows)
    some = order < round(draw.random() * rows * rows)
    return some.repeat(CELL, 0).repeat(CELL, 1)


class Mixed:
    """Training images with parts of others; at each index always the same.

    Args:
        dataset: Of samples with ``inputs``, (3, side, side).
        kind: One of ``MIXING``.
        seed: Of partners and masks.
    """

    def __init__(self, dataset: Any, kind: str, seed: int) -> None:
        self.dataset, self.seed = dataset, seed
        self.mask = dict(cutmix=cut, patchmix=cells)[kind]
        draw = np.random.default_rng(seed)
        self.partners = draw.permutation(len(dataset))
        self.shares = np.ones(len(dataset))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return a mixed image, and note the share that is its own."""
        own = self.dataset[index]['inputs']
        other = self.dataset[int(self.partners[index])]['inputs']
        draw = np.random.default_rng((self.seed, index))
        mask = self.mask(own.shape[-1], draw)
        self.shares[index] = 1 - mask.mean()
        return dict(inputs=torch.where(torch.from_numpy(mask), other, own))


class Twins:
    """Training images that ``mmocc.BatchOccluder`` has occluded.

    Args:
        dataset: Of samples with ``inputs``, (3, side, side), BGR.
        seed: Of the occluders; images must be taken in order.
        textures: Folders of textures.
        cutouts: Folder of cut-outs.
    """

    def __init__(
        self, dataset: Any, seed: int, textures: list[Path], cutouts: Path
    ) -> None:
        self.dataset = dataset
        self.occluder = BatchOccluder(
            texture_bank=textures,
            object_bank=cutouts,
            seed=seed,
            channel_order='bgr',
        )

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return an occluded image."""
        image = self.dataset[index]['inputs'].float()
        occluded = self.occluder(image[None])[0][0]
        return dict(inputs=occluded.round_().to(torch.uint8))
