"""What a set of ornament pages is to hold."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from mmocc.occluded_sets.settings import sha256_of
from mmocc.synthetic.ornaments.fonts import FONTS, find_font

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class OrnamentSettings:
    """What the pages depend on.

    Attributes:
        seed: Base seed.
        page: Side of a page in pixels.
        classes: Number of glyph classes in the dictionary.
        outside_classes: Number of glyphs outside of it, for test pages.
        train: Number of training pages.
        val: Number of validation pages.
        test: Number of test pages.
        objects: Mean number of objects of a page, of a Poisson distribution.
        outside: How many of them, on average, are from outside the
            dictionary on a test page. The others are Poisson distributed too.
        glyph_size: Least and greatest longer side of a class in pixels; the
            class keeps its size on all pages. Sizes are log-uniform.
        overlap: Greatest share of an object's box that may lie on boxes of
            larger objects, 0 to 1. Inks are printed over each other.
        gap: Least distance between boxes in pixels, where none overlap.
        noise: Strength of scanning noise, 0 to 1.
        grey_levels: 2 for binarised pages, up to 256.
        similarity: Greatest Pearson correlation of the thumbnails of two
            glyphs, in any of the eight orientations, for them to be two.
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
        """Refuse what lies out of a range of its own."""
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
        """Return the settings as JSON; fonts by name and what is in them."""
        known = json.loads(json.dumps(asdict(self)))
        paths = [find_font(font) for font in self.fonts]
        known['fonts'] = {path.name: sha256_of(path) for path in paths}
        return known


PAPER = OrnamentSettings()
# All lengths halved, and fewer of everything: made and learned on a CPU.
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
