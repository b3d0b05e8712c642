"""Draws things that are held before a face, on transparent ground."""

import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import (
    Canvas,
    arc,
    ellipse,
    rounded_box,
)
from mmocc.synthetic.cartoon_faces.subject import (
    SKINS,
    any_colour,
    opaque,
    tint,
)


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
    rim = np.concatenate(
        [np.stack([wide, y], 1), np.stack([-wide, y], 1)[::-1]]
    )
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
