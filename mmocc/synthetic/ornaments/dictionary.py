"""Settings of the pages, and the dictionary of glyphs that they use."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmocc.synthetic.ornaments.glyphs import (
    FONTS,
    Glyph,
    detail,
    differing_turns,
    drop_alike,
    find_font,
    read_glyphs,
)
from mmocc.utils.own_folder import sha256_of

SPLITS = ('train', 'val', 'test')
_STREAM = 1000  # keeps its random numbers apart from the pages'


@dataclass(frozen=True)
class OrnamentSettings:
    """What decides the pages.

    Attributes:
        seed: Base seed.
        page: Side of a page in pixels.
        classes: Number of glyph classes in the dictionary.
        outside_classes: Number of glyphs outside of it, for test pages.
        train: Number of training pages.
        val: Number of validation pages.
        test: Number of test pages.
        objects: Mean number of objects of a page, of a Poisson distribution.
        outside: Mean number of them from outside the dictionary, on a test
            page. The others are Poisson distributed, too.
        glyph_size: Least and greatest longer side of a class in pixels; a
            class has one size on all pages. Sizes are log-uniform.
        overlap: Greatest share of an object's box that may lie on boxes of
            larger objects, 0 to 1. Inks are printed over each other.
        gap: Least distance between boxes in pixels, where none overlap.
        noise: Strength of scanning noise, 0 to 1.
        grey_levels: 2 for binarised pages, up to 256.
        similarity: Greatest Pearson correlation, in any of the eight
            orientations, between the thumbnails of two different glyphs.
        fonts: Font files of matplotlib, by name, or paths of others.

    Raises:
        ValueError: One of them is out of range.
        FileNotFoundError: A font does not exist.
    """

    seed: int = 0
    page: int = 640
    classes: int = 200
    outside_classes: int = 50
    train: int = 1000
    val: int = 1000
    test: int = 1000
    objects: float = 11.0
    outside: float = 2.0
    glyph_size: tuple[int, int] = (56, 176)
    overlap: float = 0.0
    gap: int = 4
    noise: float = 0.0
    grey_levels: int = 2
    similarity: float = 0.75
    fonts: tuple[str, ...] = FONTS

    def __post_init__(self) -> None:
        least = dict(seed=0, page=32, classes=1, outside_classes=0, gap=0)
        least |= dict.fromkeys(SPLITS, 0)
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(
                    f'{name} is {getattr(self, name)}; use {low} or more'
                )
        self._check_ranges()
        if self.outside > 0 and self.test and not self.outside_classes:
            raise ValueError(
                f'outside is {self.outside}, but outside_classes is 0; give '
                'it glyphs to take them from, or set outside to 0'
            )
        stems = [find_font(font).stem for font in self.fonts]
        if len(set(stems)) < len(stems):
            raise ValueError(
                f'fonts {self.fonts} repeat a name; classes are called after '
                'their font, so name each once and rename files if need be'
            )

    def _check_ranges(self) -> None:
        """Refuse values that are out of their range."""
        if not 0 <= self.outside <= self.objects:
            raise ValueError(
                f'outside is {self.outside}; it is 0 to objects '
                f'({self.objects}), of which it is a part'
            )
        low, high = self.glyph_size
        if not 8 <= low <= high <= self.page:
            raise ValueError(
                f'glyph_size is {self.glyph_size}; it is 8 px or more, the '
                f'least first, and no more than the page ({self.page})'
            )
        for name in ('overlap', 'noise', 'similarity'):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f'{name} is {getattr(self, name)}; it is 0 to 1'
                )
        if not 2 <= self.grey_levels <= 256:
            raise ValueError(
                f'grey_levels is {self.grey_levels}; it is 2 to 256'
            )
        if not self.fonts:
            raise ValueError('name at least one font')

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON; fonts by name and checksum."""
        values = json.loads(json.dumps(asdict(self)))
        paths = [find_font(font) for font in self.fonts]
        values['fonts'] = {path.name: sha256_of(path) for path in paths}
        return values


PAPER = OrnamentSettings()
# All lengths halved, and fewer of everything: for a CPU.
REDUCED = OrnamentSettings(
    page=320,
    classes=40,
    outside_classes=20,
    train=400,
    val=100,
    test=100,
    glyph_size=(28, 88),
    gap=2,
)


@dataclass(frozen=True)
class Dictionary:
    """Glyphs in the sizes that they have on the pages.

    ``classes`` are those of the dictionary, by label. None of the glyphs
    ``outside`` of it looks like one of them, in any orientation.
    """

    classes: list[Glyph]
    outside: list[Glyph]


def make_dictionary(settings: OrnamentSettings) -> Dictionary:
    """Choose the classes, the most ornate glyphs first.

    Glyphs are turned and mirrored if there are too few of them; ValueError if
    that is not enough.
    """
    rng = np.random.default_rng((settings.seed, _STREAM))
    glyphs = read_glyphs(settings.fonts)
    sources = drop_alike(list(glyphs), settings.similarity)
    sources.sort(key=detail, reverse=True)
    sources = sources[: settings.classes + settings.outside_classes]
    sources = [sources[i] for i in rng.permutation(len(sources))]
    outside = sources[: settings.outside_classes]
    sources = sources[settings.outside_classes :]
    classes = list(sources)
    if len(classes) < settings.classes:
        turns = [differing_turns(g, settings.similarity) for g in sources]
        classes = [t[i] for i in range(8) for t in turns if i < len(t)]
    if len(classes) < settings.classes:
        raise ValueError(
            f'{settings.classes} classes are asked for, and the fonts '
            f'({", ".join(settings.fonts)}) give {len(classes)}: '
            f'{len(sources)} glyphs that differ, turned and mirrored, besides '
            f'{settings.outside_classes} outside the dictionary. Ask for '
            'fewer classes or outside_classes, add fonts, or raise similarity '
            f'({settings.similarity})'
        )
    chosen = [*classes[: settings.classes], *outside]
    low, high = np.log(settings.glyph_size)
    sides = np.exp(rng.uniform(low, high, len(chosen)))
    chosen = [g.resized(round(s)) for g, s in zip(chosen, sides, strict=True)]
    return Dictionary(chosen[: settings.classes], chosen[settings.classes :])
