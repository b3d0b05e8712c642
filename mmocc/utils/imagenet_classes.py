"""The 1,000 classes of ImageNet (ILSVRC 2012), in the order of the outputs."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

COUNT = 1000
WNID_FILE = Path(__file__).with_name('imagenet_wnids.txt')


@cache
def imagenet_wnids() -> list[str]:
    """Return their WordNet identifiers, such as ``n01440764``."""
    return WNID_FILE.read_text(encoding='utf-8').split()


@cache
def imagenet_names() -> list[str]:
    """Return their names, as torchvision has them."""
    from torchvision.models import ResNet18_Weights

    return list(ResNet18_Weights.DEFAULT.meta['categories'])


def is_imagenet(names: Sequence[str]) -> bool:
    """Return whether names of outputs are these classes, in other words too.

    Other lists write some names in another way, or add synonyms after commas.
    """
    if len(names) != COUNT:
        return False
    pairs = zip(names, imagenet_names(), strict=True)
    alike = [
        name.split(',')[0].casefold() == known.casefold()
        for name, known in pairs
    ]
    return sum(alike) > COUNT / 2
