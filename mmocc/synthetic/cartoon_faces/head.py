"""Draws what does not move in a face: head, hair, glasses, shoulders."""

import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import Canvas, arc, ellipse
from mmocc.synthetic.cartoon_faces.subject import Subject, tint

_SIDES = (-1, 1)
_BEHIND = -0.4  # depth of hair that hangs behind the head


def head_outline(who: Subject, grow: float = 0.0) -> np.ndarray:
    """Return (64, 2) points of the head's outline, narrower at the jaw.

    Args:
        who: The person.
        grow: What is added on all sides.
    """
    points = ellipse(0, 0, who.width + grow, who.height + grow, count=64)
    down = np.maximum(0, points[:, 1] / who.height)
    points[:, 0] *= 1 - who.jaw * down**2
    return points


def draw_shoulders(canvas: Canvas, who: Subject) -> None:
    """Draw neck and shirt."""
    neck = [(-0.45, 0.6), (0.45, 0.6), (0.5, 1.7), (-0.5, 1.7)]
    canvas.fill(neck, tint(who.skin, 0.22), depth=0)
    canvas.fill(ellipse(0, 2.35, 1.9, 0.95), who.cloth, depth=0)
    canvas.line(
        arc((-0.55, 1.5), (0.55, 1.5), -0.2), tint(who.cloth, 0.35), 0.06, 0
    )


def draw_hair_behind(canvas: Canvas, who: Subject) -> None:
    """Draw the hair that the head hides in part."""
    w, h = who.width, who.height
    dark = tint(who.hair, 0.2)
    if who.style == 'long':
        points = [(-1.15 * w, -0.3), (-1.25 * w, 2.2), (1.25 * w, 2.2),
                  (1.15 * w, -0.3)]  # fmt: skip
        canvas.fill(points, dark, _BEHIND)
        canvas.fill(ellipse(0, -0.3, 1.16 * w, 1.08 * h), dark, _BEHIND)
    elif who.style == 'bob':
        canvas.fill(ellipse(0, 0.05, 1.3 * w, 1.12 * h), dark, _BEHIND)
    elif who.style == 'bun':
        canvas.fill(ellipse(0, -1.12 * h, 0.42, 0.4), dark, _BEHIND)
    elif who.style == 'curly':
        for angle in np.linspace(np.pi * 0.95, np.pi * 2.05, 13):
            x, y = 1.02 * w * np.cos(angle), 0.98 * h * np.sin(angle)
            canvas.fill(ellipse(x, y, 0.32, 0.32), dark, _BEHIND)


def draw_head(canvas: Canvas, who: Subject) -> None:
    """Draw ears and skin, darker towards the outline."""
    for side in _SIDES:
        ear = ellipse(side * 0.98 * who.width, 0.02, 0.14, 0.24)
        canvas.fill(ear, tint(who.skin, 0.12), depth=0)
    for grow, dark in ((0, 0.22), (-0.04, 0.1), (-0.1, 0.03), (-0.18, 0)):
        canvas.fill(head_outline(who, grow), tint(who.skin, dark), depth=0)


def draw_skin(canvas: Canvas, who: Subject, rng: np.random.Generator) -> None:
    """Draw beard and freckles; their places are the person's own."""
    hair = tint(who.hair, 0.1)
    if who.beard == 2:
        points = head_outline(who, -0.03)
        jaw = points[points[:, 1] > 0.35]
        inner = jaw[::-1] * (0.72, 0.78) + (0, 0.04)
        shade = tint(who.skin, 0.55, hair)
        canvas.fill(np.concatenate([jaw, inner]), shade)
    if who.beard:
        y = (who.nose_tip + who.mouth_line) / 2 + 0.02
        for side in _SIDES:
            tip = (side * 1.02 * who.mouth, y + 0.14)
            points = np.concatenate(
                [arc((0, y - 0.04), tip, 0.06), arc(tip, (0, y + 0.07), 0.02)]
            )
            canvas.fill(points, hair, lift=0.03)
    for _ in range(who.freckles):
        x = rng.choice(_SIDES) * rng.uniform(0.15, 0.65)
        spot = ellipse(x, rng.uniform(0.05, 0.4), 0.03, 0.025)
        canvas.fill(spot, tint(who.skin, 0.3, (120, 60, 30)))


def draw_hair_front(canvas: Canvas, who: Subject) -> None:
    """Draw the hair above the forehead."""
    if who.style == 'bald':
        return
    w, h = who.width, who.height
    line = dict(short=0.74, side=0.7, long=0.68, bob=0.62, curly=0.7,
                bun=0.8, fringe=0.56)[who.style]  # fmt: skip
    low = 0.12 if who.style in ('long', 'bob', 'fringe') else 0.25
    cap = head_outline(who, 0.09) * (1, 1.02)
    top = cap[cap[:, 1] < -low * h]
    top = top[np.argsort(top[:, 0])]
    if who.style == 'fringe':
        edge = [(x, -line * h + 0.05 * (i % 2)) for i, x in enumerate(
            np.linspace(0.9 * w, -0.9 * w, 13))]  # fmt: skip
    elif who.style == 'side':
        part = np.array([(-0.45 * w, -line * h)])
        right = arc((0.9 * w, -low * h), tuple(part[0]), 0.16)
        left = arc(tuple(part[0]), (-0.9 * w, -low * h), 0.05)
        edge = np.concatenate([right, left])
    else:
        t = np.linspace(-1, 1, 25)
        rise = (1 - np.abs(t) ** 3.5) * (line - low)
        edge = np.stack([-0.9 * w * t, -(low + rise) * h], 1)
    canvas.fill(np.concatenate([top, edge]), who.hair, depth=0.3)
    shine = arc((-0.5 * w, -0.88 * h), (0.2 * w, -0.97 * h), 0.05)
    canvas.line(shine, tint(who.hair, 0.25, (255, 255, 255)), 0.06, 0.3)


def draw_glasses(canvas: Canvas, who: Subject) -> None:
    """Draw the frame of the glasses, if the person wears some."""
    if not who.glasses:
        return
    frame, lift = tint(who.hair, 0.7), 0.12
    x, y, r = who.eye_gap, who.eye_line + 0.02, who.eye_size + 0.1
    for side in _SIDES:
        ring = ellipse(side * x, y, r, 0.95 * r)
        if who.glasses == 'square':
            ring = np.array([(-1, -0.75), (1, -0.75), (0.9, 0.8), (-0.9, 0.8)])
            ring = ring * r + (side * x, y)
        canvas.line(ring, frame, 0.04, lift=lift, closed=True)
        ends = [
            canvas.project([(side * (x + r), y - 0.05)], lift=lift),
            canvas.project([(side * 0.97 * who.width, y - 0.08)], depth=0),
        ]
        canvas.line_px(np.concatenate(ends), frame, 0.04)
    bridge = arc((-(x - r), y), (x - r, y), 0.04)
    canvas.line(bridge, frame, 0.04, lift=lift)
