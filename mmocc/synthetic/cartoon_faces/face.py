"""Draws one picture of a cartoon face."""

from typing import NamedTuple

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import Canvas, draw_pose
from mmocc.synthetic.cartoon_faces.expression import Muscles, show_expression
from mmocc.synthetic.cartoon_faces.features import (
    draw_brows,
    draw_eyes,
    draw_folds,
    draw_mouth,
    draw_nose,
    mouth_corners,
)
from mmocc.synthetic.cartoon_faces.head import (
    draw_glasses,
    draw_hair_behind,
    draw_hair_front,
    draw_head,
    draw_shoulders,
    draw_skin,
    head_outline,
)
from mmocc.synthetic.cartoon_faces.scene import draw_background, photograph
from mmocc.synthetic.cartoon_faces.subject import Subject

_FINE = 3  # faces are drawn so many times as large, then reduced


class CartoonFace(NamedTuple):
    """A picture and what is known of it.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        landmarks: (5, 2) float64, x and y in pixels: the picture's left eye,
            right eye, tip of the nose, left and right corner of the mouth.
        strength: How strong the expression is, 0.5 to 1.
    """

    image: np.ndarray
    landmarks: np.ndarray
    strength: float


def draw_face(
    who: Subject, expression: str, size: int, rng: np.random.Generator
) -> CartoonFace:
    """Draw a person with an expression.

    Args:
        who: The person.
        expression: One of :data:`mmocc.utils.expressions.EXPRESSIONS`.
        size: Side of the picture in pixels.
        rng: Source of pose, light, background and noise.
    """
    pulls, strength = show_expression(expression, who.rest, rng)
    pose = draw_pose(size, rng)
    large = cv2.resize(draw_background(size, rng), None, fx=_FINE, fy=_FINE)
    canvas = Canvas(large, pose.enlarged(_FINE), who.width, who.height)
    _draw_parts(canvas, who, pulls, rng)
    image = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
    small = Canvas(image, pose, who.width, who.height)
    image = photograph(image, _face_mask(small, who), pose, rng)
    return CartoonFace(image, place_landmarks(small, who, pulls), strength)


def _draw_parts(
    canvas: Canvas, who: Subject, pulls: Muscles, rng: np.random.Generator
) -> None:
    """Draw a person, from what is behind to what is in front."""
    gaze = rng.uniform(-0.6, 0.6, 2)
    draw_hair_behind(canvas, who)
    draw_shoulders(canvas, who)
    draw_head(canvas, who)
    # Freckles stay where they are from picture to picture.
    draw_skin(canvas, who, np.random.default_rng(who.freckles))
    draw_folds(canvas, who, pulls)
    draw_mouth(canvas, who, pulls)
    draw_nose(canvas, who, pulls)
    draw_eyes(canvas, who, pulls, tuple(gaze))
    draw_brows(canvas, who, pulls)
    draw_hair_front(canvas, who)
    draw_glasses(canvas, who)


def place_landmarks(
    canvas: Canvas, who: Subject, pulls: Muscles
) -> np.ndarray:
    """Return the five landmarks in pixels of the canvas; see CartoonFace."""
    eyes = [(side * who.eye_gap, who.eye_line) for side in (-1, 1)]
    return np.concatenate(
        [
            canvas.project(eyes),
            canvas.project([(0, who.nose_tip)], lift=0.2),
            canvas.project(mouth_corners(who, pulls)),
        ]
    )


def _face_mask(canvas: Canvas, who: Subject) -> np.ndarray:
    """Return the head as float32 (H, W), 1 inside."""
    mask = np.zeros(canvas.pixels.shape[:2], np.uint8)
    head = Canvas(mask, canvas.pose, who.width, who.height)
    head.fill(head_outline(who), (255,), depth=0)
    return mask.astype(np.float32) / 255
