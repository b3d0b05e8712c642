"""Draws what hides faces: cut-outs with transparency.

Those for training and those for the test are of different kinds. What is worn
has six anchor points, as the templates of MaskTheFace have: the upper left
corner, the middle on the nose, the upper right corner, the lower left corner,
the chin, and the lower right corner. Sunglasses are told by the same points
of the face, which lie outside of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces import things, worn
from mmocc.synthetic.cartoon_faces.canvas import Canvas, Pose

_FINE = 3  # drawn so many times as large, then reduced


class Cutout(NamedTuple):
    """Something to hide faces with.

    Attributes:
        image: (h, w, 4) uint8 RGBA.
        anchors: (6, 2) float64, x and y in pixels of the image, perhaps
            outside of it; None for what is not worn.
    """

    image: np.ndarray
    anchors: np.ndarray | None


def draw_cutout(kind: str, size: int, rng: np.random.Generator) -> Cutout:
    """Draw a cut-out.

    Args:
        kind: A key of :data:`TRAIN_KINDS` or :data:`TEST_KINDS`.
        size: Longer side in pixels.
        rng: Source of its looks.
    """
    draw, is_worn = {**TRAIN_KINDS, **TEST_KINDS}[kind]
    side = 3 * size * _FINE // 2
    pixels = np.zeros((side, side, 4), np.uint8)
    roll = 0.0 if is_worn else float(rng.uniform(-0.6, 0.6))
    pose = Pose(0, 0, roll, 0.38 * side, side / 2, side / 2)
    canvas = Canvas(pixels, pose, 100, 100)  # as good as flat
    draw(canvas, rng)
    x, y, w, h = cv2.boundingRect((pixels[..., 3] > 0).astype(np.uint8))
    scale = size / max(w, h)
    shape = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(
        pixels[y : y + h, x : x + w], shape, interpolation=cv2.INTER_AREA
    )
    anchors = None
    if is_worn:
        anchors = (canvas.project(worn.ANCHORS, 0) - (x, y)) * scale
    return Cutout(_light(image, rng), anchors)


def _light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shade a drawing and undo that its edges are mixed with black."""
    height, width = image.shape[:2]
    slope = rng.normal(0, 0.18, 2)
    shade = (
        rng.uniform(0.8, 1.1)
        + slope[0] * np.linspace(-0.5, 0.5, width)
        + slope[1] * np.linspace(-0.5, 0.5, height)[:, None]
    )
    alpha = np.maximum(image[..., 3:].astype(np.float32), 1) / 255
    colour = image[..., :3] / alpha * shade[..., None]
    colour += rng.normal(0, 3, colour.shape)
    lit = np.clip(colour, 0, 255).round().astype(np.uint8)
    return np.dstack([lit, image[..., 3]])


_Draw = Callable[[Canvas, np.random.Generator], None]
# How each kind is drawn, and whether it is worn.
TRAIN_KINDS: dict[str, tuple[_Draw, bool]] = dict(
    cup=(things.draw_cup, False),
    hand=(things.draw_hand, False),
    phone=(things.draw_phone, False),
    scarf=(worn.draw_scarf, True),
)
TEST_KINDS: dict[str, tuple[_Draw, bool]] = dict(
    book=(things.draw_book, False),
    leaf=(things.draw_leaf, False),
    medical_mask=(worn.draw_mask, True),
    sunglasses=(worn.draw_sunglasses, True),
)
