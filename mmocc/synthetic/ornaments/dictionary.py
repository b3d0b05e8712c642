"""Chooses the classes of the dictionary, and the glyphs outside of it."""

from dataclasses import dataclass

import numpy as np

from mmocc.synthetic.ornaments.glyphs import (
    Glyph,
    detail,
    differing_turns,
    drop_alike,
    read_glyphs,
)
from mmocc.synthetic.ornaments.settings import OrnamentSettings

_STREAM = 1000  # keeps its random numbers apart from the pages'


@dataclass(frozen=True)
class Dictionary:
    """Glyphs in the sizes that they have on the pages.

    Attributes:
        classes: The dictionary, by label.
        outside: Glyphs outside of it; none looks like one in it, in any
            orientation.
    """

    classes: list[Glyph]
    outside: list[Glyph]


def make_dictionary(settings: OrnamentSettings) -> Dictionary:
    """Choose the classes, the most ornate glyphs first.

    Glyphs are turned and mirrored if there are too few of them.

    Raises:
        ValueError: The fonts have too few glyphs; tells how many there are.
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
        raise ValueError(_too_few(settings, len(sources), len(classes)))
    chosen = [*classes[: settings.classes], *outside]
    low, high = np.log(settings.glyph_size)
    sides = np.exp(rng.uniform(low, high, len(chosen)))
    chosen = [g.redrawn(round(s)) for g, s in zip(chosen, sides, strict=True)]
    return Dictionary(chosen[: settings.classes], chosen[settings.classes :])


def _too_few(settings: OrnamentSettings, sources: int, classes: int) -> str:
    """Return what to say of fonts that cannot fill the dictionary."""
    return (
        f'{settings.classes} classes are asked for, and the fonts '
        f'({", ".join(settings.fonts)}) give {classes}: {sources} glyphs that '
        'differ, turned and mirrored, beside '
        f'{settings.outside_classes} outside the dictionary. Ask for fewer '
        'classes or outside_classes, add fonts, or raise similarity '
        f'({settings.similarity})'
    )
