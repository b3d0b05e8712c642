"""Draws the parts of a face: head, hair and glasses; eyes, nose and mouth."""

import numpy as np

from mmocc.synthetic.cartoon_faces.canvas import (
    Canvas,
    arc,
    between,
    ellipse,
    tint,
)
from mmocc.synthetic.cartoon_faces.person import Muscles, Subject

_SIDES = (-1, 1)  # the picture's left and right
_BEHIND = -0.4  # depth of hair that hangs behind the head
_MOUTH_DARK, _TOOTH, _TONGUE = (70, 20, 25), (248, 244, 236), (200, 90, 95)
_WHITE = (250, 248, 244)


def head_outline(who: Subject, grow: float = 0.0) -> np.ndarray:
    """Return (64, 2) points of the head's outline, ``grow`` larger."""
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
    """Draw the hair that the head partly hides."""
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
    """Draw beard and freckles."""
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


def draw_eye(
    canvas: Canvas,
    who: Subject,
    pulls: Muscles,
    gaze: np.ndarray,
    side: int,
) -> None:
    """Draw an eye that looks to ``gaze`` (x, y), each in -1 to 1."""
    x, y, size = side * who.eye_gap, who.eye_line, who.eye_size
    upper = 0.62 * size * max(0.06, 1 + pulls.lid_upper)
    lower = 0.5 * size * max(0.04, 1 - pulls.lid_lower)
    t = np.linspace(-1, 1, 15)
    rim = np.sqrt(1 - t**2) ** 1.2
    socket = between(x + size * t, y - upper * rim, y + lower * rim)
    top, bottom = np.split(socket, 2)
    shade = tint(who.skin, 0.12)
    canvas.fill(ellipse(x, y - 0.02, 1.35 * size, 1.15 * size), shade)
    canvas.fill(socket, _WHITE)
    iris = ellipse(x + 0.3 * size * gaze[0], y + 0.1 * size * gaze[1],
                   0.5 * size, 0.5 * size)  # fmt: skip
    pupil = (iris - iris.mean(0)) * 0.5 + iris.mean(0)
    for ring, colour in ((iris, who.eye), (pupil, (12, 10, 10))):
        # Lids cover the parts of the iris beyond them.
        low = np.interp(ring[:, 0], top[:, 0], top[:, 1])
        high = np.interp(ring[:, 0], top[:, 0], bottom[::-1, 1])
        ring[:, 1] = np.clip(ring[:, 1], low, high)
        canvas.fill(ring, colour)
    canvas.line(top, tint(who.hair, 0.6), 0.045)
    canvas.line(bottom, tint(who.skin, 0.45), 0.02)


def draw_brows(canvas: Canvas, who: Subject, pulls: Muscles) -> None:
    """Draw both brows, thinner towards the temples, and folds between."""
    colour = tint(who.hair, 0.3, tint(who.skin, 0.6))
    y = who.eye_line - who.brow_gap
    for side in _SIDES:
        inner = (
            side * (who.eye_gap - who.eye_size - pulls.brow_pinch),
            y - pulls.brow_inner,
        )
        outer = (
            side * (who.eye_gap + 1.15 * who.eye_size),
            y + 0.03 - pulls.brow_outer,
        )
        line = arc(inner, outer, 0.05)
        half = np.linspace(0.5, 0.2, len(line)) * who.brow_width
        x, middle = line.T
        canvas.fill(between(x, middle - half, middle + half), colour)
        if pulls.furrow > 0.25:
            x = side * 0.07
            fold = arc((x, y - 0.05), (x * 1.2, y + 0.2), 0)
            canvas.line(fold, tint(who.skin, 0.35 * pulls.furrow), 0.03)


def mouth_corners(who: Subject, pulls: Muscles) -> np.ndarray:
    """Return (2, 2) x and y of the mouth's corners, the left one first."""
    half = who.mouth * (1 + pulls.stretch)
    y = who.mouth_line + 0.25 * pulls.jaw - pulls.corner
    return np.array([[-half, y], [half, y]])


def draw_mouth(canvas: Canvas, who: Subject, pulls: Muscles) -> None:
    """Draw lips, and the inside of an open mouth."""
    (left, y), (right, _) = mouth_corners(who, pulls)
    t = np.linspace(-1, 1, 17)
    arch = 1 - t**2
    x = (left + right) / 2 + (right - left) / 2 * t
    # The middle stays where it was, whatever the corners do.
    middle = y + pulls.corner * arch
    upper = middle - (0.35 * pulls.jaw + pulls.lip) * arch**0.6
    lower = middle + 0.65 * pulls.jaw * arch**0.6
    full = who.lip_width * (1 - 0.5 * max(0.0, -pulls.stretch) - 0.3 * (
        pulls.furrow > 0.5))  # fmt: skip
    bow = full * (0.75 + 0.25 * np.cos(3 * np.pi * t)) * arch**0.5
    outer = between(x, upper - bow, lower + 1.2 * full * arch**0.5)
    canvas.fill(outer, who.lip, lift=0.03)
    opening = pulls.jaw + pulls.lip
    if opening > 0.05:
        canvas.fill(between(x, upper, lower), _MOUTH_DARK)
        _fill_mouth(canvas, pulls, x, upper, lower)
    else:
        canvas.line(np.stack([x, middle], 1), tint(who.lip, 0.55), 0.03)
    dark = tint(who.lip, 0.45)
    for end in ((left, y), (right, y)):
        canvas.fill(ellipse(*end, 0.025, 0.02), dark)


def _fill_mouth(
    canvas: Canvas,
    pulls: Muscles,
    x: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
) -> None:
    """Draw teeth and tongue into an open mouth."""
    inner = slice(2, -2)
    high, low, across = upper[inner], lower[inner], x[inner]
    room = low - high
    if pulls.jaw > 0.15:
        middle = slice(3, -3)
        top, bottom = low - 0.35 * room, low - 0.05 * room
        tongue = between(across[middle], top[middle], bottom[middle])
        canvas.fill(tongue, _TONGUE)
    if pulls.teeth > 0.1:
        end = high + np.minimum(0.09 + 0.5 * room * (pulls.teeth > 0.7), room)
        canvas.fill(between(across, high, end), _TOOTH)


def draw_nose(canvas: Canvas, who: Subject, pulls: Muscles) -> None:
    """Draw the nose, and wrinkles across it."""
    dark = tint(who.skin, 0.3)
    tip, half = who.nose_tip - 0.04 * pulls.wrinkle, who.nose
    canvas.line(
        [(-0.03, who.eye_line + 0.08), (-0.5 * half, tip - 0.1)],
        tint(who.skin, 0.15),
        0.03,
        lift=0.1,
    )
    canvas.fill(
        ellipse(0, tip - 0.02, 0.8 * half, 0.1),
        tint(who.skin, 0.25, (255, 255, 255)),
        lift=0.2,
    )
    canvas.line(arc((-half, tip), (half, tip), -0.07), dark, 0.03, lift=0.18)
    for side in _SIDES:
        hole = ellipse(side * 0.5 * half, tip + 0.04, 0.045, 0.025)
        canvas.fill(hole, tint(who.skin, 0.6), lift=0.17)
    if pulls.wrinkle > 0.15:
        for row in range(3):
            y = who.eye_line + 0.06 + 0.08 * row
            fold = arc((-0.1, y), (0.1, y), 0.03)
            shade = tint(who.skin, 0.4 * min(1, pulls.wrinkle))
            canvas.line(fold, shade, 0.025, lift=0.1)


def draw_folds(canvas: Canvas, who: Subject, pulls: Muscles) -> None:
    """Draw cheeks, and the folds from the nose to the mouth's corners."""
    corners = mouth_corners(who, pulls)
    strength = min(1.0, 0.15 + 0.85 * pulls.cheek)
    shade = tint(who.skin, 0.28 * strength)
    for side, corner in zip(_SIDES, corners, strict=True):
        if pulls.cheek > 0.2:
            blush = tint(who.skin, 0.18 * strength, (230, 60, 60))
            cheek = ellipse(side * 0.52, 0.26, 0.2, 0.13)
            canvas.fill(cheek, blush)
        start = (side * (who.nose + 0.05), who.nose_tip - 0.02)
        end = (corner[0] + side * 0.08, corner[1] - 0.04)
        line = arc(start, end, -0.02)
        line[:, 0] += side * 0.08 * np.sin(np.linspace(0, np.pi, len(line)))
        canvas.line(line, shade, 0.03)
