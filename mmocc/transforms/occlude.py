"""Hide a chosen share of each object behind an occluder."""

import random
from collections.abc import Sequence
from typing import Any

import torch

from mmocc.occlusion import (
    KINDS,
    OccluderBank,
    check_kind,
    level_range,
    list_levels,
    occlude_object,
)
from mmocc.occlusion.banks import Folders
from mmocc.occlusion.occlude_objects import occlude_objects
from mmocc.transforms.base import HidingTransform, Mask
from mmocc.transforms.objects import Objects
from mmocc.transforms.pictures import Picture


class Occlude(HidingTransform):
    """Hide a share of each object, or of the image, behind an occluder.

    A share of the image always lies inside the level; so does that of each
    object, unless its visible pixels all belong to neighbours that have their
    share, or it has too few pixels; none is hidden above the level.

    Put it after all geometric steps and before ``ToDtype``. With one ``seed``,
    all kinds are put on the same place, and what a level hides, the next level
    hides as well.

    Args:
        kind: ``white``, ``noise``, ``texture`` or ``object``; of a sequence,
            one is drawn for each image.
        level: ``L0`` to ``L3``, a share, or a pair of shares; of a sequence
            of these (of two numbers, it is a pair), one is drawn.
        texture_bank: Folder(s) of images, for kind ``texture``; or
            ``builtin:train`` or ``builtin:test``, which mmocc draws itself.
        object_bank: Folder(s) of RGBA cut-outs, or likewise.
        texture_size: Side of the texture sheets in pixels.
        bank: A built bank that serves the kinds, instead of the folders.
        **options: See :class:`~mmocc.transforms.base.HidingTransform`.

    Raises:
        ValueError: If a kind, level or option is unknown, or a bank is empty
            or unreadable; the rest as for ``HidingTransform``.
        UnreachableLevelError: When called, if an image has too few pixels.
    """

    def __init__(
        self,
        kind: str | Sequence[str] = KINDS,
        level: str | float | Sequence[Any] = ('L1', 'L2', 'L3'),
        texture_bank: Folders = 'builtin:train',
        object_bank: Folders = 'builtin:train',
        texture_size: int = 256,
        bank: OccluderBank | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kinds = [kind] if isinstance(kind, str) else list(kind)
        self.kinds = [check_kind(name) for name in kinds]
        self.levels = list_levels(level)
        self.shares = [level_range(name) for name in self.levels]
        self.bank = bank or OccluderBank(
            self.kinds, texture_bank, object_bank, texture_size
        )

    def hide(
        self,
        picture: Picture,
        objects: Objects | None,
        choice: random.Random,
        number: int,
    ) -> tuple[Any, Mask]:
        """Occlude an image, as ``HidingTransform.hide`` says."""
        kind = choice.choice(self.kinds)
        shares = choice.choice(self.shares)
        generator = torch.Generator().manual_seed(number)
        bgr = picture.planes.flip(0)
        rest = kind, shares, self.bank, generator
        if objects is None:
            whole = torch.ones(bgr.shape[1:], dtype=torch.bool)
            bgr, mask = occlude_object(bgr, whole, *rest)
        else:
            pairs = zip(objects.regions, objects.ignored, strict=True)
            regions = [region for region, ignored in pairs if not ignored]
            bgr, mask, *_ = occlude_objects(bgr, regions, *rest)
        return picture.like(bgr.flip(0)), lambda: mask

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(kind={self.kinds}, level={self.levels}, '
            f'texture_bank={self.bank.texture_bank!r}, '
            f'object_bank={self.bank.object_bank!r}, '
            f'region={self.region!r}, min_visible={self.min_visible}, '
            f'p={self.p}, seed={self.seed})'
        )
