"""Draws occluders of faces: cut-outs with transparency.

Those for training and those for the test are of different kinds. Occluders
that are worn have six anchor points, as the templates of MaskTheFace have: the
upper left corner, the middle on the nose, the upper right corner, the lower
left corner, the chin, and the lower right corner, if need be of the face.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import (
    Canvas,
    Pose,
    any_colour,
    arc,
    between,
    ellipse,
    opaque,
    rounded_box,
    tint,
)
from mmocc.synthetic.cartoon_faces.person import SKINS

_FINE = 3  # occluders are drawn this many times as large, then reduced
# The six points of a mask, on a head of half width 1.
ANCHORS = np.array(
    [(-0.92, 0.12), (0, 0.02), (0.92, 0.12), (-0.74, 0.85), (0, 1.3),
     (0.74, 0.85)]
)  # fmt: skip


class FaceOccluder(NamedTuple):
    """A picture (h, w, 4) uint8 RGBA to occlude faces with.

    ``anchors`` (6, 2) float64 are x and y in pixels of the image, perhaps
    outside of it; None for an occluder that is not worn.
    """

    image: np.ndarray
    anchors: np.ndarray | None


def draw_occluder(
    kind: str, size: int, rng: np.random.Generator
) -> FaceOccluder:
    """Draw an occluder.

    Args:
        kind: A key of :data:`TRAIN_KINDS` or :data:`TEST_KINDS`.
        size: Longer side in pixels.
        rng: Source of colours, shapes and light.
    """
    draw, is_worn = {**TRAIN_KINDS, **TEST_KINDS}[kind]
    side = 3 * size * _FINE // 2
    pixels = np.zeros((side, side, 4), np.uint8)
    roll = 0.0 if is_worn else float(rng.uniform(-0.6, 0.6))
    pose = Pose(0, 0, roll, 0.38 * side, side / 2, side / 2)
    canvas = Canvas(pixels, pose, 100, 100)  # almost flat
    draw(canvas, rng)
    x, y, w, h = cv2.boundingRect((pixels[..., 3] > 0).astype(np.uint8))
    scale = size / max(w, h)
    shape = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(
        pixels[y : y + h, x : x + w], shape, interpolation=cv2.INTER_AREA
    )
    anchors = None
    if is_worn:
        anchors = (canvas.project(ANCHORS, 0) - (x, y)) * scale
    return FaceOccluder(_light(image, rng), anchors)


def _light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shade a drawing, and remove the black that its edges are mixed with."""
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


def draw_cup(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a mug with a handle, a band and a rim."""
    colour = opaque(any_colour(rng))
    dark = opaque(tint(colour[:3], 0.4))
    low = rng.uniform(0.5, 0.75)
    side = rng.choice([-1, 1])
    canvas.line(ellipse(side * 0.72, 0, 0.32, 0.4), dark, 0.14, closed=True)
    body = [(-0.75, -0.8), (0.75, -0.8), (low, 0.85), (-low, 0.85)]
    canvas.fill(body, colour)
    canvas.fill(ellipse(0, 0.85, low, 0.13), colour)
    band = opaque(any_colour(rng))
    for y in np.arange(-0.4, 0.7, rng.uniform(0.25, 0.5)):
        half = 0.75 + (low - 0.75) * (y + 0.8) / 1.65
        canvas.line(arc((-half, y), (half, y), -0.12), band, 0.09)
    canvas.fill(ellipse(0, -0.8, 0.75, 0.16), opaque(tint(colour[:3], 0.15)))
    canvas.fill(ellipse(0, -0.79, 0.64, 0.11), opaque((60, 36, 20)))


def draw_hand(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a hand, its fingers more or less spread, and a sleeve."""
    skin = tint(SKINS[rng.integers(len(SKINS))], rng.uniform(0, 0.15))
    side, spread = rng.choice([-1, 1]), rng.uniform(0.04, 0.3)
    edge, fill = opaque(tint(skin, 0.35)), opaque(skin)
    lengths = np.array([0.72, 0.88, 0.82, 0.62]) * rng.uniform(0.8, 1.05)
    fingers = []
    for i, length in enumerate(lengths):
        x, turn = side * (-0.33 + 0.22 * i), side * spread * (i - 1.5)
        tip = (x + length * np.sin(turn), -0.1 - length * np.cos(turn))
        fingers.append([(x, 0.1), tip])
    fingers.append([(side * -0.3, 0.45), (side * -0.78, -0.02 - spread)])
    wrist = [(-0.28, 0.6), (0.28, 0.6), (0.3, 1.1), (-0.3, 1.1)]
    for colour, grow in ((edge, 0.05), (fill, 0.0)):
        canvas.fill(
            rounded_box(0, 0.3, 0.43 + grow / 2, 0.42 + grow / 2, 0.2), colour
        )
        canvas.fill(wrist, colour)
        for finger in fingers:
            canvas.line(finger, colour, 0.2 + grow)
    for (x, _), (tip_x, tip_y) in fingers[:4]:
        nail = ellipse(tip_x, tip_y - 0.02, 0.06, 0.07)
        canvas.fill(nail, opaque(tint(skin, 0.3, (255, 225, 225))))
        canvas.line(arc((x - 0.08, 0.05), (x + 0.08, 0.05), 0.02), edge, 0.02)
    sleeve = [(-0.42, 0.95), (0.42, 0.95), (0.5, 1.3), (-0.5, 1.3)]
    canvas.fill(sleeve, opaque(any_colour(rng)))


def draw_phone(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw the back of a phone."""
    colour = any_colour(rng)
    half = rng.uniform(0.42, 0.55)
    canvas.fill(rounded_box(0, 0, half, 0.95, 0.14), opaque(tint(colour, 0.5)))
    canvas.fill(rounded_box(0, 0, half - 0.05, 0.9, 0.12), opaque(colour))
    lens = (-half + 0.22, -0.7)
    for i in range(rng.integers(1, 4)):
        for radius, grey in ((0.1, 30), (0.05, 90)):
            ring = ellipse(lens[0], lens[1] + 0.22 * i, radius, radius)
            canvas.fill(ring, (grey, grey, grey + 10, 255))
    logo = ellipse(0, 0.15, 0.1, 0.1)
    canvas.fill(logo, opaque(tint(colour, 0.5, (255, 255, 255))))


def draw_leaf(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a leaf with its veins."""
    colour = tint((70, 150, 50), rng.uniform(0, 0.6), (210, 140, 30))
    t = np.linspace(0, np.pi, 40)
    wide = rng.uniform(0.4, 0.65) * np.sin(t) * (1 + 0.25 * np.cos(t))
    wide = wide + 0.04 * np.abs(np.sin(rng.integers(5, 12) * t))
    y = -0.95 * np.cos(t)
    rim = between(y, wide, -wide)[:, ::-1]
    vein = opaque(tint(colour, 0.35, (240, 250, 200)))
    canvas.line([(0, 0.8), (0.05, 1.25)], opaque(tint(colour, 0.3)), 0.06)
    canvas.fill(rim, opaque(colour))
    canvas.line([(0, -0.85), (0, 0.9)], vein, 0.045)
    for i in range(5, 35, 6):
        for side in (-1, 1):
            end = (side * 0.8 * wide[i], y[i] - 0.12)
            canvas.line([(0, y[i] + 0.12), end], vein, 0.025)


def draw_book(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a closed book, its pages at one side."""
    colour = any_colour(rng)
    half = rng.uniform(0.6, 0.75)
    pages = [(-half, -0.9), (half + 0.1, -0.9), (half + 0.1, 0.98),
             (-half, 0.98)]  # fmt: skip
    canvas.fill(pages, opaque((232, 226, 208)))
    for x in np.arange(half, half + 0.1, 0.025):
        canvas.line([(x, -0.9), (x, 0.98)], opaque((170, 160, 140)), 0.01)
    canvas.fill(rounded_box(0, 0, half, 0.95, 0.05), opaque(colour))
    spine = [(-half, -0.92), (-half + 0.15, -0.92), (-half + 0.15, 0.92),
             (-half, 0.92)]  # fmt: skip
    canvas.fill(spine, opaque(tint(colour, 0.35)))
    ink = opaque(tint(colour, 0.75, (255, 245, 200)))
    for y in np.linspace(-0.6, -0.2, rng.integers(2, 4)):
        end = rng.uniform(0.2, half - 0.15)
        canvas.line([(-half + 0.3, y), (end, y)], ink, 0.09)
    emblem = ellipse(0.1, 0.4, 0.24, 0.24, count=int(rng.integers(3, 9)))
    canvas.fill(emblem, ink)


def draw_scarf(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a scarf over mouth and chin."""
    colour = any_colour(rng)
    top, low = rng.uniform(0.15, 0.45), rng.uniform(1.25, 1.5)
    upper = arc((-1.12, top + 0.1), (1.12, top + 0.1), rng.uniform(-0.2, 0.15))
    lower = arc((1.05, low), (-1.05, low), -0.15)
    canvas.fill(np.concatenate([upper, lower]), opaque(colour))
    other, knit = opaque(any_colour(rng)), rng.random() < 0.5
    for share in np.linspace(0.15, 0.9, rng.integers(3, 7)):
        line = (1 - share) * upper + share * lower[::-1]
        line[:, 1] += 0.03 * np.sin(np.linspace(0, 9, len(line)))
        fold = other if knit else opaque(tint(colour, 0.3))
        canvas.line(line, fold, 0.08 if knit else 0.045)
    if knit:
        for i in range(len(upper)):
            line = [upper[i], lower[::-1][i]]
            canvas.line(line, opaque(tint(colour, 0.25)), 0.025)


def draw_mask(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a pleated face mask with its ear loops."""
    shades = ((150, 205, 225), (235, 240, 240), (60, 62, 66), (240, 190, 205))
    shade = shades[rng.integers(len(shades))]
    colour = tint(shade, rng.uniform(0, 0.2))
    a, b, c, d, e, f = (tuple(point) for point in ANCHORS)
    rim = np.concatenate(
        [arc(a, c, a[1] - b[1] + 0.08), [f], arc(f, d, f[1] - e[1] - 0.03)]
    )
    loop = opaque(tint(colour, 0.15, (255, 255, 255)))
    for near, far, side in ((a, d, -1), (c, f, 1)):
        bow = np.array([near, (side * 1.08, 0.0), (side * 1.1, 0.4), far])
        canvas.line(bow, loop, 0.04)
    canvas.fill(rim, opaque(colour))
    for y in np.linspace(0.32, 0.95, 4):
        half = 0.9 - 0.22 * (y - 0.12)
        line = arc((-half, y), (half, y), -0.07)
        canvas.line(line, opaque(tint(colour, 0.22)), 0.035)
        line[:, 1] += 0.04
        canvas.line(line, opaque(tint(colour, 0.3, (255, 255, 255))), 0.025)
    canvas.line(rim, opaque(tint(colour, 0.3)), 0.03, closed=True)


def draw_sunglasses(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw sunglasses."""
    frame = opaque(tint(any_colour(rng), rng.uniform(0.3, 0.9)))
    lens = tuple(rng.integers(8, 60, 3).tolist())
    half, tall = rng.uniform(0.31, 0.38), rng.uniform(0.22, 0.33)
    square = rng.random() < 0.5
    x, y = 0.43, -0.15
    canvas.line(arc((-0.15, y), (0.15, y), 0.05), frame, 0.08)
    for side in (-1, 1):
        rim = ellipse(side * x, y, half, tall)
        if square:
            rim = rounded_box(side * x, y, half, tall, 0.1)
        canvas.fill(rim, opaque(lens))
        canvas.line(rim, frame, 0.07, closed=True)
        shine = np.array([(-0.55, -0.1), (-0.1, -0.6), (0.1, -0.6), (-0.4, 0)])
        glow = opaque(tint(lens, 0.35, (255, 255, 255)))
        canvas.fill(shine * (half, tall) + (side * x, y), glow)
        temple = [(side * (x + half), y - 0.05), (side * 1.02, y - 0.08)]
        canvas.line(temple, frame, 0.07)


_Draw = Callable[[Canvas, np.random.Generator], None]
# How each kind is drawn, and whether it is
TRAIN_KINDS: dict[str, tuple[_Draw, bool]] = dict(
    cup=(draw_cup, False),
    hand=(draw_hand, False),
    phone=(draw_phone, False),
    scarf=(draw_scarf, True),
)
TEST_KINDS: dict[str, tuple[_Draw, bool]] = dict(
    book=(draw_book, False),
    leaf=(draw_leaf, False),
    medical_mask=(draw_mask, True),
    sunglasses=(draw_sunglasses, True),
)
