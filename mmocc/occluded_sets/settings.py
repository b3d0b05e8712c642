"""What an occluded set must hold: kinds, levels, seed, occluders, files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmocc.occlusion import (
    CLEAN,
    KINDS,
    LEVELS,
    OccluderBank,
    check_kind,
    level_range,
)
from mmocc.occlusion.banks import list_images
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
        texture_bank: Folder of images, for kind ``texture``.
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

    def bank_files(self) -> dict[str, dict[str, Path]]:
        """Return each bank's files by name, in the order of its sheets."""
        folders = dict(texture=self.texture_bank, object=self.object_bank)
        used = {cell.kind for cell in self.cells()}
        return {
            kind: {
                path.relative_to(expand(folder)).as_posix(): path
                for path in list_images(folder)
            }
            for kind, folder in folders.items()
            if kind in used and folder
        }

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON; banks by their files, not by path."""
        values = {k: v for k, v in asdict(self).items() if 'bank' not in k}
        values = json.loads(json.dumps(values))
        for kind, files in self.bank_files().items():
            values[f'{kind}_bank'] = {
                name: sha256_of(path) for name, path in files.items()
            }
        return values
