"""Makes occluders of photographs: textures and RGBA cut-outs, in RGB."""

from collections.abc import Sequence

import cv2
import numpy as np

_TRIES = 8  # cuts, of which one is used
_CLUTTER = (0.12, 0.3)  # longer side of a piece, in sides of the canvas
_CLUTTER_LIGHT = 0.6  # digits stay lighter than pieces under them
_FINE = 4  # outlines are drawn this many times larger, then averaged down


def cut_texture(
    photo: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a random square of the photo, uint8 (size, size, 3).

    It is the one with most detail of a few: an even one would hide a digit
    and not be seen itself.
    """
    most = min(photo.shape[:2])
    cuts = []
    for _ in range(_TRIES):
        low = min(size // 2, most)
        side = int(rng.integers(low, min(2 * size, most) + 1))
        top = int(rng.integers(photo.shape[0] - side + 1))
        left = int(rng.integers(photo.shape[1] - side + 1))
        cut = photo[top : top + side, left : left + side]
        cut = cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)
        cuts.append(cut)
    return max(cuts, key=_detail)


def _detail(image: np.ndarray) -> float:
    """Return the median step between neighbouring pixels."""
    grey = image.astype(np.float32).mean(axis=2)
    return float(np.median(np.abs(np.diff(grey, axis=0))))


def cut_object(
    photo: np.ndarray, size: int, shape: str, rng: np.random.Generator
) -> np.ndarray:
    """Return a tinted piece of photo with a soft outline, uint8 (h, w, 4).

    ``size`` is the longer side in pixels; ``shape`` is ``blob``, ``leaf`` or
    ``polygon``. It is cut tight around the outline.
    """
    alpha = draw_outline(_OUTLINES[shape](rng), size)
    fill = cut_texture(photo, size, rng)[: alpha.shape[0], : alpha.shape[1]]
    tint = rng.uniform(0, 255, 3)
    fill = 0.65 * fill + 0.35 * tint
    return np.dstack([np.rint(fill).astype(np.uint8), alpha])


def draw_outline(points: np.ndarray, size: int) -> np.ndarray:
    """Fill a closed outline: uint8 opacity whose longer side is ``size``.

    ``points`` are (n, 2) corners as (x, y), in any unit.
    """
    points = points - points.min(axis=0)
    points = points * (size * _FINE - 1) / points.max()
    width, height = (points.max(axis=0) // _FINE).astype(int) + 1
    fine = np.zeros((height * _FINE, width * _FINE), np.uint8)
    cv2.fillPoly(fine, [np.rint(points).astype(np.int32)], 255)
    return cv2.resize(
        fine, (int(width), int(height)), interpolation=cv2.INTER_AREA
    )


def _turn(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the points turned by a random angle."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]])


def _blob(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth round outline: a circle with four random waves."""
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radius = np.ones_like(angles)
    for wave in range(2, 6):
        height = rng.uniform(0, 0.5) / wave
        radius += height * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]


def _leaf(rng: np.random.Generator) -> np.ndarray:
    """Return a lens of random width with a wavy rim and two tips."""
    along = np.linspace(0, np.pi, 120)
    waves = 1 + rng.uniform(0, 0.12) * np.cos(rng.integers(6, 14) * along)
    half = rng.uniform(0.35, 0.6) * np.sin(along) * waves
    rim = np.concatenate([half, -half[::-1]])
    axis = np.concatenate([along, along[::-1]]) / np.pi * 2
    return _turn(np.stack([axis, rim], axis=1), rng)


def _polygon(rng: np.random.Generator) -> np.ndarray:
    """Return three to seven corners at random places around a circle."""
    corners = int(rng.integers(3, 8))
    steps = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    angles = 2 * np.pi * steps
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _turn(points * rng.uniform(0.8, 1, (corners, 1)), rng)


_OUTLINES = {'blob': _blob, 'leaf': _leaf, 'polygon': _polygon}
SHAPES = tuple(_OUTLINES)


def add_clutter(
    canvas: np.ndarray,
    photos: Sequence[np.ndarray],
    number: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a float32 RGB canvas with a number of pieces of photo on it."""
    canvas, size = canvas.copy(), len(canvas)
    for _ in range(number):
        side = round(size * rng.uniform(*_CLUTTER))
        photo = photos[rng.integers(len(photos))]
        shape = SHAPES[rng.integers(len(SHAPES))]
        piece = cut_object(photo, side, shape, rng).astype(np.float32)
        height, width = piece.shape[:2]
        top = int(rng.integers(size - height + 1))
        left = int(rng.integers(size - width + 1))
        place = np.s_[top : top + height, left : left + width]
        opacity = piece[..., 3:] / 255
        colour = _CLUTTER_LIGHT * piece[..., :3]
        canvas[place] += opacity * (colour - canvas[place])
    return canvas
