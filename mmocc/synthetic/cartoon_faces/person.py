"""Who is drawn, and what an expression does to a face, as a few muscles.

The tables of muscles follow common descriptions of prototypical expressions
(the action units of Ekman and Friesen's FACS); the amounts were chosen by eye.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import RGB, tint
from mmocc.utils.expressions import EXPRESSIONS

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


class Muscles(NamedTuple):
    """Pulls on a face, 0 at rest, in half widths of the head."""

    brow_inner: float = 0.0  # raise of the inner ends of the brows
    brow_outer: float = 0.0  # raise of their outer ends
    brow_pinch: float = 0.0  # move of the inner ends towards each other
    lid_upper: float = 0.0  # raise of the upper lids, in heights of the eye
    lid_lower: float = 0.0  # raise of the lower lids, likewise
    corner: float = 0.0  # raise of the corners of the mouth
    stretch: float = 0.0  # widening of the mouth, as a share of its width
    jaw: float = 0.0  # opening of the mouth
    lip: float = 0.0  # raise of the upper lip
    teeth: float = 0.0  # share of the teeth that an open mouth shows
    wrinkle: float = 0.0  # wrinkles across the nose, 0 to 1
    cheek: float = 0.0  # raised cheeks and folds next to the nose, 0 to 1
    furrow: float = 0.0  # upright folds between the brows, 0 to 1


# At full strength. Some expressions have several ways.
PROTOTYPES: dict[str, tuple[Muscles, ...]] = dict(
    Surprise=(
        Muscles(0.22, 0.2, 0, 0.5, -0.1, 0, -0.3, 0.42),
        Muscles(0.26, 0.24, 0, 0.6, -0.1, 0.02, -0.15, 0.24),
    ),
    Fear=(
        Muscles(
            0.2, 0.02, 0.08, 0.45, 0.1, -0.1, 0.18, 0.2, 0, 0.8, 0, 0, 0.5
        ),
        Muscles(
            0.24, 0.04, 0.09, 0.5, 0.1, -0.14, 0.25, 0.08, 0, 1, 0, 0, 0.6
        ),
    ),
    Disgust=(
        Muscles(-0.1, -0.02, 0.05, -0.3, 0.4, -0.12, -0.1, 0, 0.1, 0, 1, 0.7),
        Muscles(-0.08, 0, 0.05, -0.35, 0.5, -0.06, 0, 0.12, 0.12, 0.9, 1, 0.8),
    ),
    Happiness=(
        Muscles(0.02, 0.03, 0, -0.1, 0.35, 0.2, 0.25, 0.2, 0, 1, 0, 1),
        Muscles(0.04, 0.04, 0, -0.1, 0.3, 0.2, 0.2, 0, 0, 0, 0, 0.8),
        Muscles(0.06, 0.05, 0, -0.4, 0.4, 0.22, 0.2, 0.34, 0, 0.7, 0, 1),
    ),
    Sadness=(
        Muscles(0.18, -0.12, 0.04, -0.35, 0.05, -0.18, -0.08),
        Muscles(0.2, -0.1, 0.06, -0.5, 0.15, -0.22, 0.05, 0.05),
    ),
    Anger=(
        Muscles(-0.18, 0.06, 0.1, -0.1, 0.25, -0.1, -0.12, 0, 0, 0, 0.2, 0, 1),
        Muscles(
            -0.2, 0.08, 0.1, 0.1, 0.25, -0.12, 0.1, 0.2, 0.03, 1, 0.4, 0.3, 1
        ),
    ),
    Neutral=(Muscles(),),
)
assert tuple(PROTOTYPES) == EXPRESSIONS
# Deviation of single pulls from the table, and of faces at rest from zero.
_SPREAD, _REST = 0.18, 0.02
_WEAKEST = 0.5


def rest_face(rng: np.random.Generator) -> np.ndarray:
    """Draw how one person's face at rest differs from zero, (13,) float64.

    In the order of :class:`Muscles`; folds and openings are zero.
    """
    scale = np.array([1, 1, 0.5, 5, 4, 1.5, 3, 0, 0, 0, 0, 0, 0])
    return rng.normal(0, _REST, len(scale)) * scale


def show_expression(
    expression: str, rest: np.ndarray, rng: np.random.Generator
) -> tuple[Muscles, float]:
    """Draw the pulls of an expression, once, and its strength, 0.5 to 1.

    Args:
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS`.
        rest: Result of :func:`rest_face` for the person.
        rng: Source of the way, the strength and small deviations.
    """
    ways = PROTOTYPES[expression]
    pulls = np.array(ways[rng.integers(len(ways))])
    strength = float(rng.uniform(_WEAKEST, 1))
    pulls *= strength * rng.normal(1, _SPREAD, len(pulls))
    pulls += rest + 0.5 * rest_face(rng)
    pulls[7:] = np.maximum(pulls[7:], 0)
    return Muscles(*pulls.tolist()), strength


@dataclass(frozen=True)
class Subject:
    """One person; lengths are in half widths of an average head.

    Heights count downwards from the middle of the head; colours are RGB.
    """

    width: float  # half the width of the head
    height: float  # half its height
    jaw: float  # how much the head narrows towards the chin, 0 to 1
    skin: RGB
    hair: RGB
    style: str  # one of STYLES
    eye: RGB  # of the iris
    eye_size: float  # half the width of an eye
    eye_gap: float  # distance of an eye from the middle
    eye_line: float  # height of the eyes
    brow_gap: float  # distance of the brows above the eyes
    brow_width: float
    nose: float  # half its width
    nose_tip: float  # height of the tip
    mouth: float  # half its width
    mouth_line: float  # height of the mouth
    lip: RGB
    lip_width: float
    glasses: str  # '' for none, 'round' or 'square'
    beard: int  # 0 for none, 1 for a moustache, 2 for stubble as well
    freckles: int  # their number
    cloth: RGB  # of the shirt
    rest: np.ndarray  # (13,) the face at rest; see rest_face


def draw_subject(rng: np.random.Generator) -> Subject:
    """Draw a person."""
    tone = np.add(SKINS[rng.integers(len(SKINS))], rng.normal(0, 5, 3))
    skin = tuple(int(v) for v in np.clip(tone, 30, 255))
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
