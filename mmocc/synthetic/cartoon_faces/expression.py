"""What an expression does to a face, as a few muscles.

The tables follow what is commonly told of prototypical expressions (the
action units of Ekman and Friesen's FACS); the amounts were chosen by eye.
"""

from typing import NamedTuple

import numpy as np

from mmocc.utils.expressions import EXPRESSIONS


class Muscles(NamedTuple):
    """Pulls on a face, 0 at rest, in half widths of the head.

    Attributes:
        brow_inner: Raise of the inner ends of the brows.
        brow_outer: Raise of their outer ends.
        brow_pinch: Move of the inner ends towards each other.
        lid_upper: Raise of the upper lids, as a share of the eye's height.
        lid_lower: Raise of the lower lids, as a share of the eye's height.
        corner: Raise of the corners of the mouth.
        stretch: Widening of the mouth, as a share of its width.
        jaw: Opening of the mouth.
        lip: Raise of the upper lip.
        teeth: How much of the teeth an open mouth shows, 0 to 1.
        wrinkle: Wrinkles across the nose, 0 to 1.
        cheek: Cheeks that are raised and folds beside the nose, 0 to 1.
        furrow: Upright folds between the brows, 0 to 1.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_pinch: float = 0.0
    lid_upper: float = 0.0
    lid_lower: float = 0.0
    corner: float = 0.0
    stretch: float = 0.0
    jaw: float = 0.0
    lip: float = 0.0
    teeth: float = 0.0
    wrinkle: float = 0.0
    cheek: float = 0.0
    furrow: float = 0.0


# At full strength. Some expressions are shown in several ways.
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
# How much single pulls differ from the table, and faces at rest from zero.
_SPREAD, _REST = 0.18, 0.02
_WEAKEST = 0.5


def rest_face(rng: np.random.Generator) -> np.ndarray:
    """Return how one person's face at rest differs from zero.

    Returns:
        (13,) float64, in the order of :class:`Muscles`; folds and openings
        are zero.
    """
    scale = np.array([1, 1, 0.5, 5, 4, 1.5, 3, 0, 0, 0, 0, 0, 0])
    return rng.normal(0, _REST, len(scale)) * scale


def show_expression(
    expression: str, rest: np.ndarray, rng: np.random.Generator
) -> tuple[Muscles, float]:
    """Draw one showing of an expression.

    Args:
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS`.
        rest: What :func:`rest_face` returned for the person.
        rng: Source of the way, the strength and small deviations.

    Returns:
        The pulls, and the strength, 0.5 to 1.
    """
    ways = PROTOTYPES[expression]
    pulls = np.array(ways[rng.integers(len(ways))])
    strength = float(rng.uniform(_WEAKEST, 1))
    pulls *= strength * rng.normal(1, _SPREAD, len(pulls))
    pulls += rest + 0.5 * rest_face(rng)
    pulls[7:] = np.maximum(pulls[7:], 0)
    return Muscles(*pulls.tolist()), strength
