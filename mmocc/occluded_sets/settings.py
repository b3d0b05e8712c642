"""What an occluded set must hold: kinds, levels, seed, occluders, files."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmocc.occlusion import (
    CLEAN,
    KINDS,
    LEVELS,
    OccluderBank,
    check_kind,
    level_range,
)
from mmocc.occlusion.banks import builtin_split, list_images
from mmocc.occlusion.builtin_cutouts import draw_cutouts
from mmocc.occlusion.builtin_textures import draw_textures
from mmocc.utils.files import expand
from mmocc.utils.own_folder import sha256_of

SUFFIXES = {'png': '.png', 'jpg': '.jpg'}


class Cell(NamedTuple):
    """One kind and level; L0 has no kind."""

    name: str
    kind: str | None
    level: str


@dataclass(frozen=True)
class OccludedSettings:
    """What the pixels depend on, besides the source; ValueError if wrong.

    Attributes:
        kinds: Occluder kinds.
        levels: Names of levels; L0 is made once, for all kinds.
        seed: Base seed.
        texture_bank: Folder of images, for kind ``texture``; for both banks,
            ``builtin:train`` and ``builtin:test`` are drawn by mmocc.
        object_bank: Folder of RGBA cut-outs, for kind ``object``.
        texture_size: Side of the texture sheets in pixels.
        format: ``png``, which is lossless, or ``jpg``.
        quality: Of JPEG files, 1 to 100.
        limit: Use only the first images, this many; None for all.
    """

    kinds: tuple[str, ...] = KINDS
    levels: tuple[str, ...] = tuple(LEVELS)
    seed: int = 0
    texture_bank: str | None = None
    object_bank: str | None = None
    texture_size: int = 256
    format: str = 'png'
    quality: int = 95
    limit: int | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            check_kind(kind)
        for level in self.levels:
            level_range(level)
        if not self.levels or not self.kinds:
            raise ValueError('name at least one kind and one level')
        if self.format not in SUFFIXES:
            raise ValueError(
                f'unknown format {self.format!r}; choose from {list(SUFFIXES)}'
            )
        if not 1 <= self.quality <= 100:
            raise ValueError(f'quality is {self.quality}; it is 1 to 100')
        if self.limit is not None and self.limit < 1:
            raise ValueError(f'limit is {self.limit}; use 1 image or more')
        if self.seed < 0:
            raise ValueError(f'seed is {self.seed}; it must be 0 or more')

    @property
    def suffix(self) -> str:
        """Ending of the image files."""
        return SUFFIXES[self.format]

    def cells(self) -> list[Cell]:
        """Return L0, if the levels hold it, and each kind at each level."""
        plain = [Cell(CLEAN, None, CLEAN)] if CLEAN in self.levels else []
        return plain + [
            Cell(f'{kind}_{level}', kind, level)
            for kind in dict.fromkeys(self.kinds)
            for level in dict.fromkeys(self.levels)
            if level != CLEAN
        ]

    def make_bank(self) -> OccluderBank | None:
        """Load the occluders; None if L0 is the only level."""
        kinds = list(dict.fromkeys(cell.kind for cell in self.cells()))
        kinds = [kind for kind in kinds if kind]
        if not kinds:
            return None
        return OccluderBank(
            kinds, self.texture_bank, self.object_bank, self.texture_size
        )

    def bank_sheets(self) -> dict[str, Mapping[str, Path | str]]:
        """Return each bank's sheets by name, in the bank's order.

        A sheet is its file; of a built-in bank, the SHA-256 of what is drawn.
        """
        folders = dict(texture=self.texture_bank, object=self.object_bank)
        used = {cell.kind for cell in self.cells()}
        return {
            kind: self._sheets(kind, folder)
            for kind, folder in folders.items()
            if kind in used and folder
        }

    def _sheets(self, kind: str, folder: str) -> Mapping[str, Path | str]:
        """Return the sheets of one bank, by name."""
        if split := builtin_split(folder):
            return drawn_sheets(kind, split, self.texture_size)
        top = expand(folder)
        return {
            path.relative_to(top).as_posix(): path
            for path in list_images(folder)
        }

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON; banks by their sheets, not by path."""
        values = {k: v for k, v in asdict(self).items() if 'bank' not in k}
        values = json.loads(json.dumps(values))
        for kind, sheets in self.bank_sheets().items():
            values[f'{kind}_bank'] = {
                name: sheet if isinstance(sheet, str) else sha256_of(sheet)
                for name, sheet in sheets.items()
            }
        return values


@cache
def drawn_sheets(kind: str, split: str, size: int) -> dict[str, str]:
    """Return the SHA-256 of each sheet of a built-in bank, by name.

    ``size`` is the side of textures.
    """
    drawn: Iterable[np.ndarray] = (
        draw_textures(split, size=size)
        if kind == 'texture'
        else draw_cutouts(split)
    )
    return {
        f'builtin:{split}/{index}': hashlib.sha256(sheet.tobytes()).hexdigest()
        for index, sheet in enumerate(drawn)
    }
