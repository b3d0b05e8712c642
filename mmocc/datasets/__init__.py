"""Readers of real data layouts."""

from mmocc.registry import HAS_MMPRETRAIN

__all__: list[str] = []

if HAS_MMPRETRAIN:  # the transforms below this package must import without it
    from mmocc.datasets.voc_objects import VOCObjects

    __all__ += ['VOCObjects']
