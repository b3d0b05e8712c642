"""The random numbers of ``mmocc.BatchOccluder``: of a step, or of an image."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from mmengine.logging import MessageHub
from mmengine.structures import BaseDataElement
from torch import Generator, Tensor

from mmocc.models.folder_cache import raw_bytes
from mmocc.occlusion.occluders import OccluderBank, Occluders

CUTOUTS = 8  # drawn for an image; it gets as many as its share needs
# To be raised whenever the same numbers hide other pixels.
VERSION = 2


class Draws(NamedTuple):
    """What is drawn for N images; a kind's occluders for all of them.

    Attributes:
        kinds: (N,) index of each image's kind.
        area: (N,) in [0, 1), position inside the range of hidden shares.
        xy: (K * N, 2) in [0, 1), places: first the first of all images.
        occluders: By kind: N, or K * N cut-outs in that order.
    """

    kinds: Tensor
    area: Tensor
    xy: Tensor
    occluders: dict[str, Occluders]

    def take(self, index: Tensor) -> 'Draws':
        """Return those of some of the images."""

        def every(drawn: Tensor) -> Tensor:
            total = len(self.kinds)
            starts = range(0, len(drawn), total)
            return torch.cat([index + start for start in starts])

        occluders = {
            kind: drawn.take(every(drawn.sheet))
            for kind, drawn in self.occluders.items()
        }
        kept = (x[every(x)] for x in (self.kinds, self.area, self.xy))
        return Draws(*kept, occluders)


def seeded(*numbers: int) -> Generator:
    """Return a generator whose sequence depends on these numbers only."""
    state = np.random.SeedSequence(numbers)
    seed = int(state.generate_state(1, np.uint64)[0] >> np.uint64(1))
    return Generator().manual_seed(seed)


def draw(
    bank: OccluderBank, kinds: Sequence[str], num: int, generator: Generator
) -> Draws:
    """Draw for ``num`` images, on the CPU."""
    chosen = torch.randint(len(kinds), (num,), generator=generator)
    area, *xy = torch.rand(3, num, generator=generator)
    occluders = {
        kind: bank.draw(
            kind, CUTOUTS * num if kind == 'object' else num, generator
        )
        for kind in kinds
    }
    places = torch.stack(xy, dim=-1)
    if 'object' in kinds:
        places = places_of_all(places, generator)
    return Draws(chosen, area, places, occluders)


def places_of_all(first: Tensor, generator: Generator) -> Tensor:
    """Return (CUTOUTS * N, 2) places in [0, 1) of the cut-outs of N objects.

    ``first`` (N, 2), those of the first cut-outs, stand at the beginning.
    """
    further = (CUTOUTS - 1) * len(first)
    return torch.cat([first, torch.rand(further, 2, generator=generator)])


def draw_variants(
    bank: OccluderBank,
    kinds: Sequence[str],
    seed: int,
    numbers: Iterable[int],
    variant: int,
) -> Draws:
    """Draw one variant of images: always the same for the same image.

    Args:
        bank: As in :func:`draw`.
        kinds: Likewise.
        seed: Base seed.
        numbers: The images' numbers in their data set.
        variant: Which of an image's variants.
    """
    each = [
        draw(bank, kinds, 1, seeded(seed, number, variant))
        for number in numbers
    ]

    def gather(parts: Iterable[Tensor]) -> Tensor:
        """Return an image's first numbers, then its second ones."""
        return torch.stack([*parts], dim=1).flatten(0, 1)

    occluders = {}
    for kind in kinds:
        parts = zip(*(one.occluders[kind] for one in each), strict=True)
        occluders[kind] = Occluders(*map(gather, parts))
    chosen, area, xy = (gather(one[i] for one in each) for i in range(3))
    return Draws(chosen, area, xy, occluders)


def digest_bank(bank: OccluderBank, settings: tuple) -> str:
    """Return a digest of all that decides an image's variants."""
    blake = blake2b(repr((VERSION, *settings)).encode(), digest_size=16)
    for kind, sheets in sorted(bank.sheets.items()):
        blake.update(kind.encode() + raw_bytes(sheets))
    return blake.hexdigest()


def current_variant(variants: int) -> int:
    """Return the variant of the run's present epoch, 0 outside of a run."""
    hub = MessageHub.get_current_instance()
    return int(hub.runtime_info.get('epoch', 0)) % variants


def numbers_of(samples: Sequence[BaseDataElement] | None) -> list[int]:
    """Return the numbers of images in their data set.

    Raises:
        ValueError: If a sample has none.
    """
    numbers = [sample.get('sample_idx') for sample in samples or [{}]]
    if None in numbers:
        raise ValueError(
            'variants of mmocc.BatchOccluder know images by their '
            'sample_idx, which these samples do not have; PackInputs must '
            'have it in its meta_keys, as it does by default'
        )
    return [int(number) for number in numbers]
