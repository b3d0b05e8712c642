"""Draws one picture of a cartoon face: background, person, light, camera."""

from typing import NamedTuple

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces import parts
from mmocc.synthetic.cartoon_faces.canvas import Canvas, Pose, draw_pose
from mmocc.synthetic.cartoon_faces.person import (
    Muscles,
    Subject,
    show_expression,
)

BACKGROUNDS = ('plain', 'gradient', 'stripes', 'blobs', 'shelves', 'clouds')
_FINE = 3  # faces are drawn this many times as large, then reduced


class CartoonFace(NamedTuple):
    """A picture (size, size, 3) uint8 RGB of a face, and facts about it.

    ``landmarks`` (5, 2) float64 are x and y in pixels of the picture's left
    eye, right eye, tip of the nose, left and right corner of the mouth;
    ``strength`` is that of the expression, 0.5 to 1.
    """

    image: np.ndarray
    landmarks: np.ndarray
    strength: float


def draw_face(
    who: Subject, expression: str, size: int, rng: np.random.Generator
) -> CartoonFace:
    """Draw a person with one of :data:`mmocc.utils.expressions.EXPRESSIONS`.

    ``size`` is the picture's side in pixels; ``rng`` the source of pose,
    light, background and noise.
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
    """Draw a person, from the back to the front."""
    gaze = rng.uniform(-0.6, 0.6, 2)
    parts.draw_hair_behind(canvas, who)
    parts.draw_shoulders(canvas, who)
    parts.draw_head(canvas, who)
    # Freckles are at the same places in all pictures of a person.
    parts.draw_skin(canvas, who, np.random.default_rng(who.freckles))
    parts.draw_folds(canvas, who, pulls)
    parts.draw_mouth(canvas, who, pulls)
    parts.draw_nose(canvas, who, pulls)
    for side in (-1, 1):
        parts.draw_eye(canvas, who, pulls, gaze, side)
    parts.draw_brows(canvas, who, pulls)
    parts.draw_hair_front(canvas, who)
    parts.draw_glasses(canvas, who)


def place_landmarks(
    canvas: Canvas, who: Subject, pulls: Muscles
) -> np.ndarray:
    """Return the five landmarks in pixels of the canvas; see CartoonFace."""
    eyes = [(side * who.eye_gap, who.eye_line) for side in (-1, 1)]
    return np.concatenate(
        [
            canvas.project(eyes),
            canvas.project([(0, who.nose_tip)], lift=0.2),
            canvas.project(parts.mouth_corners(who, pulls)),
        ]
    )


def _face_mask(canvas: Canvas, who: Subject) -> np.ndarray:
    """Return the head as float32 (H, W), 1 inside."""
    mask = np.zeros(canvas.pixels.shape[:2], np.uint8)
    head = Canvas(mask, canvas.pose, who.width, who.height)
    head.fill(parts.head_outline(who), (255,), depth=0)
    return mask.astype(np.float32) / 255


def draw_background(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a background, (size, size, 3) uint8 RGB."""
    kind = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    first, second = rng.uniform(30, 230, (2, 3))
    if kind == 'clouds':
        share = rng.uniform(0, 1, (6, 6)).astype(np.float32)
        share = cv2.resize(share, (size, size), interpolation=cv2.INTER_CUBIC)
    else:
        row, column = np.mgrid[:size, :size].astype(np.float32) / size
        angle = rng.uniform(0, np.pi)
        along = np.cos(angle) * column + np.sin(angle) * row
        count = rng.integers(3, 9)
        share = dict(
            plain=np.zeros_like(row),
            gradient=along,
            stripes=(np.sin(2 * np.pi * count * along) > 0) * 0.6,
            blobs=np.zeros_like(row),
            shelves=(row * count % 1 > 0.85) * 0.8,
        )[kind]
    share = np.clip(share, 0, 1)[..., None]
    image = ((1 - share) * first + share * second).astype(np.uint8)
    if kind == 'blobs':
        scale = (size, size, size / 6)
        for x, y, radius in rng.uniform(0, 1, (12, 3)) * scale:
            colour = rng.integers(20, 236, 3).tolist()
            centre = (int(x), int(y))
            cv2.circle(image, centre, int(radius), colour, -1, cv2.LINE_AA)
    return image


def photograph(
    image: np.ndarray,
    face: np.ndarray,
    pose: Pose,
    rng: np.random.Generator,
) -> np.ndarray:
    """Light a drawing and take a new picture (H, W, 3) uint8 of it.

    Args:
        image: (H, W, 3) uint8 RGB.
        face: (H, W) float32, 1 on the head.
        pose: Of the head, which is lit as an ellipsoid.
        rng: Source of light, blur and noise.
    """
    height, width = face.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x - pose.x) / pose.scale, (y - pose.y) / (1.25 * pose.scale)
    depth = np.sqrt(np.clip(1 - u**2 - v**2, 0.05, 1))
    light = rng.normal(0, 1, 3) * (1, 0.6, 0) + (0, -0.4, 1.6)
    light /= np.linalg.norm(light)
    lit = light[0] * u + light[1] * v + light[2] * depth
    shade = 1 + rng.uniform(0.15, 0.45) * (lit - 0.7) * face
    slope = rng.normal(0, 0.12, 2)
    shade *= 1 + slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5)
    colour = rng.uniform(0.8, 1.15) * rng.normal(1, 0.04, 3)
    picture = image * shade[..., None] * colour
    picture = cv2.GaussianBlur(
        picture, (0, 0), float(rng.uniform(0.2, 0.7)) * width / 64
    )
    picture += rng.normal(0, rng.uniform(1, 6), picture.shape)
    return np.clip(picture, 0, 255).round().astype(np.uint8)
