"""Draws what is worn on a face, on transparent ground."""

import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import (
    Canvas,
    arc,
    ellipse,
    rounded_box,
)
from mmocc.synthetic.cartoon_faces.subject import any_colour, opaque, tint

# Of a head of half width 1: where the six points of a mask are.
ANCHORS = np.array(
    [(-0.92, 0.12), (0, 0.02), (0.92, 0.12), (-0.74, 0.85), (0, 1.3),
     (0.74, 0.85)]
)  # fmt: skip


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
