"""Who is drawn: all that one person's pictures have in common."""

from dataclasses import dataclass

import numpy as np

from mmocc.synthetic.cartoon_faces.expression import rest_face

RGB = tuple[int, int, int]
SKINS = (
    (255, 224, 196), (245, 205, 170), (232, 186, 145), (210, 160, 118),
    (178, 128, 88), (140, 96, 64), (104, 68, 46), (250, 214, 190),
)  # fmt: skip
HAIRS = (
    (24, 20, 20), (58, 38, 26), (98, 64, 36), (150, 100, 50), (205, 165, 90),
    (168, 72, 34), (150, 150, 150), (226, 222, 214),
)  # fmt: skip
EYES = (
    (70, 44, 24), (48, 30, 20), (70, 110, 150), (80, 120, 70), (110, 110, 110)
)  # fmt: skip
STYLES = ('bald', 'short', 'side', 'long', 'bob', 'curly', 'bun', 'fringe')
GLASSES = ('', '', '', '', 'round', 'square')


@dataclass(frozen=True)
class Subject:
    """One person; lengths are in half widths of an average head.

    Attributes:
        width: Half the width of the head.
        height: Half its height.
        jaw: How much the head narrows towards the chin, 0 to 1.
        skin: Colour of the skin, RGB.
        hair: Colour of the hair.
        style: One of :data:`STYLES`.
        eye: Colour of the iris.
        eye_size: Half the width of an eye.
        eye_gap: Distance of an eye from the middle.
        eye_line: Height of the eyes, downwards from the middle.
        brow_gap: Distance of the brows above the eyes.
        brow_width: Thickness of the brows.
        nose: Half the width of the nose.
        nose_tip: Height of the tip, downwards from the middle.
        mouth: Half the width of the mouth.
        mouth_line: Its height, downwards from the middle.
        lip: Colour of the lips.
        lip_width: Thickness of the lips.
        glasses: '' for none, ``round`` or ``square``.
        beard: 0 for none, 1 for a moustache, 2 for stubble and moustache.
        freckles: Number of freckles.
        cloth: Colour of the shirt.
        rest: (13,) the face at rest.
    """

    width: float
    height: float
    jaw: float
    skin: RGB
    hair: RGB
    style: str
    eye: RGB
    eye_size: float
    eye_gap: float
    eye_line: float
    brow_gap: float
    brow_width: float
    nose: float
    nose_tip: float
    mouth: float
    mouth_line: float
    lip: RGB
    lip_width: float
    glasses: str
    beard: int
    freckles: int
    cloth: RGB
    rest: np.ndarray


def tint(colour: RGB, factor: float, towards: RGB = (0, 0, 0)) -> RGB:
    """Return a colour moved by a share towards another."""
    pairs = zip(colour, towards, strict=True)
    return tuple(round(a + factor * (b - a)) for a, b in pairs)


def opaque(colour: RGB) -> tuple[int, ...]:
    """Return RGBA of a colour."""
    return (*colour, 255)


def any_colour(rng: np.random.Generator) -> RGB:
    """Draw a colour that is neither black nor white."""
    return tuple(rng.integers(25, 240, 3).tolist())


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw a person.

    Args:
        rng: Source of all that tells persons apart.
    """
    skin = tuple(
        int(v)
        for v in np.clip(
            np.add(SKINS[rng.integers(len(SKINS))], rng.normal(0, 5, 3)),
            30,
            255,
        )
    )
    bearded = rng.random() < 0.22
    return Subject(
        width=rng.uniform(0.9, 1.06),
        height=rng.uniform(1.18, 1.34),
        jaw=rng.uniform(0.12, 0.42),
        skin=skin,
        hair=HAIRS[rng.integers(len(HAIRS))],
        style=STYLES[rng.integers(len(STYLES))],
        eye=EYES[rng.integers(len(EYES))],
        eye_size=rng.uniform(0.17, 0.23),
        eye_gap=rng.uniform(0.37, 0.45),
        eye_line=rng.uniform(-0.22, -0.12),
        brow_gap=rng.uniform(0.25, 0.32),
        brow_width=rng.uniform(0.06, 0.12),
        nose=rng.uniform(0.12, 0.2),
        nose_tip=rng.uniform(0.2, 0.32),
        mouth=rng.uniform(0.3, 0.4),
        mouth_line=rng.uniform(0.62, 0.72),
        lip=tint(skin, rng.uniform(0.3, 0.6), (170, 40, 50)),
        lip_width=rng.uniform(0.05, 0.1),
        glasses=GLASSES[rng.integers(len(GLASSES))],
        beard=int(rng.integers(1, 3)) if bearded else 0,
        freckles=int(rng.integers(8, 16)) if rng.random() < 0.15 else 0,
        cloth=tuple(rng.integers(20, 236, 3).tolist()),
        rest=rest_face(rng),
    )
