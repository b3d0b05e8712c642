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

CANDIDATES = 4  # cut-outs drawn for an image: not each can hide all shares


class Draws(NamedTuple):
    """What is drawn for N images; a kind's occluders for all of them.

    Attributes:
        kinds: (N,) index of each image's kind.
        area: (N,) in [0, 1), position inside the range of hidden shares.
        xy: (N, 2) in [0, 1), place of the occluder.
        occluders: By kind: K * N, first the first candidates of all images.
    """

    kinds: Tensor
    area: Tensor
    xy: Tensor
    occluders: dict[str, Occluders]

    def take(self, index: Tensor) -> 'Draws':
        """Return those of some of the images."""
        total, occluders = len(self.kinds), {}
        for kind, drawn in self.occluders.items():
            tries = len(drawn.sheet) // total
            every = torch.cat([index + i * total for i in range(tries)])
            occluders[kind] = drawn.take(every)
        kept = (x[index] for x in (self.kinds, self.area, self.xy))
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
            kind, CANDIDATES * num if kind == 'object' else num, generator
        )
        for kind in kinds
    }
    return Draws(chosen, area, torch.stack(xy, dim=-1), occluders)


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
    occluders = {}
    for kind in kinds:
        parts = zip(*(one.occluders[kind] for one in each), strict=True)
        # candidates first, images second
        occluders[kind] = Occluders(
            *(torch.stack(part, dim=1).flatten(0, 1) for part in parts)
        )
    chosen, area, xy = (torch.cat([one[i] for one in each]) for i in range(3))
    return Draws(chosen, area, xy, occluders)


def digest_bank(bank: OccluderBank, settings: tuple) -> str:
    """Return a digest of all that decides an image's variants."""
    blake = blake2b(repr(settings).encode(), digest_size=16)
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
