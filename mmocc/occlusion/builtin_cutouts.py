"""Cut-outs that mmocc draws itself: occluders without a folder of photos.

Those to train with are blobs, bars and leaves, those to test with hands, nets
and rings; see :mod:`mmocc.occlusion.builtin_textures`.

A generator returns a shape (S, S) uint8, 0 or 255, and colours (S, S, 3) that
go on beyond it, so that no rim is dark. Lengths are in halves of the side.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from mmocc.occlusion.builtin_textures import (
    Bytes,
    Floats,
    generator_of,
    noise,
    paint,
    palette,
    turned_axes,
)

FINER = 2  # drawn so much larger, and shrunk: soft rims
HUES = {  # BGR, from light to dark
    'green': ((120, 220, 170), (20, 70, 30)),
    'autumn': ((60, 190, 240), (20, 50, 120)),
    'skin': ((185, 205, 240), (40, 60, 95)),
}


def draw_cutouts(
    split: str, number: int = 32, size: int = 192, seed: int = 0
) -> list[Bytes]:
    """Draw cut-outs (h, w, 4) uint8, BGRA, whose longer side is ``size``.

    A cut-out depends on split, seed and its index, not on the number. All
    have soft rims and are cut to what is not transparent.

    Raises:
        ValueError: If the split is unknown.
    """
    cutouts = []
    for index in range(number):
        rng = generator_of(split, seed, index)
        draw = CUTOUTS[split]
        shape, colours = draw[index % len(draw)](rng, size * FINER)
        left, top, width, height = cv2.boundingRect(shape)
        part = slice(top, top + height), slice(left, left + width)
        bgra = np.dstack([colours.clip(0, 255), shape])[part]
        scale = size / max(width, height)
        fitted = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(
            bgra.astype(np.float32), fitted, interpolation=cv2.INTER_AREA
        )
        cutouts.append(small.round().clip(0, 255).astype(np.uint8))
    return cutouts


def grid(side: int) -> tuple[Floats, Floats]:
    """Return columns (1, side) and rows (side, 1) from -1 to 1."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    return line[None], line[:, None]


def polygon(points: ArrayLike, side: int) -> Bytes:
    """Return the filled outline of (n, 2) points in -1 to 1."""
    shape = np.zeros((side, side), np.uint8)
    corners = ((np.asarray(points) + 1) * (side / 2)).round().astype(np.int32)
    cv2.fillPoly(shape, [corners], 255)
    return shape


def rounded(shape: Bytes, depth: float = 0.6) -> Floats:
    """Return a shading (S, S, 1) of a shape: bright inside, dark at rims."""
    far = cv2.distanceTransform(shape, cv2.DIST_L2, 3)
    height: Floats = np.sqrt(far / max(float(far.max()), 1))
    return (1.2 - depth + depth * height)[..., None]


def tint(rng: Generator, hue: str, spread: float = 15) -> Floats:
    """Draw a colour (3,) of a hue."""
    light, dark = np.array(HUES[hue])
    colour: Floats = light + (dark - light) * rng.random()
    return colour + rng.uniform(-spread, spread, 3)


def turn(points: ArrayLike, angle: float) -> Floats:
    """Return (n, 2) points turned about the middle."""
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Floats = np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])
    return turned


def blob(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw a round shape with dents, such as a stone or a bag."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    waves = np.arange(2, 8)[:, None]
    heights = rng.normal(0, 0.28, (6, 1)) / waves
    radius = np.exp((heights * np.sin(waves * angle + heights * 99)).sum(0))
    stretch = rng.uniform(0.55, 1)
    points = radius * np.stack([np.cos(angle), stretch * np.sin(angle)])
    points = turn(points.T, rng.uniform(0, np.pi))
    shape = polygon(points / np.abs(points).max() * 0.98, side)
    field = noise(rng, side, int(rng.integers(2, 7)))
    return shape, paint(field, palette(rng, 3)) * rounded(shape)


def bars(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw one to three poles side by side, plain or with bands."""
    along, across = turned_axes(rng, side)
    number = int(rng.integers(1, 4))
    width = rng.uniform(0.12, 0.3) / number**0.5
    gap = width * rng.uniform(3, 4.5)
    lane = (np.round(across / gap + (number - 1) / 2)).clip(0, number - 1)
    place = (across - (lane - (number - 1) / 2) * gap) / width
    shape = (np.abs(place) <= 1) & (np.abs(along) <= rng.uniform(0.8, 1.1))
    bands = palette(rng, 2) if rng.random() < 0.5 else palette(rng, 2)[:1]
    band = ((along + 2) * rng.uniform(3, 8)).astype(np.int32) % len(bands)
    shade = 1.15 - 0.6 * np.minimum(np.abs(place - 0.3), 1.3) ** 2
    grain = 0.9 + 0.2 * noise(rng, side, 24, 2)
    colours = bands[band] * (shade * grain)[..., None]
    return shape.astype(np.uint8) * 255, colours


def leaf(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw a leaf with veins, with a smooth or a toothed rim."""
    t = np.linspace(0, 1, 160)
    width = np.sin(np.pi * t ** rng.uniform(0.6, 1.1)) ** rng.uniform(0.7, 1.4)
    width = width * rng.uniform(0.25, 0.6)
    width *= 1 - rng.choice([0, 0.25]) * ((t * rng.integers(8, 16)) % 1)
    bend = rng.uniform(-0.25, 0.25) * np.sin(np.pi * t)
    rib = np.stack([bend, 1.8 * t - 0.9], axis=1)
    sides = [rib + np.outer(s * width, [1, 0]) for s in (1, -1)]
    angle = rng.uniform(0, 2 * np.pi)
    shape = polygon(turn(np.vstack([sides[0], sides[1][::-1]]), angle), side)
    colour = tint(rng, rng.choice(['green', 'autumn']))
    spots = 0.75 + 0.5 * noise(rng, side, 6)
    colours = (colour * spots[..., None]).astype(np.float32)
    vein = (colour * 1.25 + 15).tolist()
    thick = max(2, side // 64)
    for start in range(10, 140, 18):
        for rim in sides:
            ends = np.stack([rib[start], rim[min(start + 22, 159)]])
            draw_line(colours, turn(ends, angle), vein, thick)
    draw_line(colours, turn(rib, angle), vein, 2 * thick)
    draw_line(shape, turn(rib[-2:] * 1.08, angle), 255, 2 * thick)
    return shape, colours


def draw_line(
    image: NDArray[Any],
    points: Floats,
    colour: float | list[float],
    thick: int,
) -> None:
    """Draw a line through (n, 2) points in -1 to 1, in place."""
    places = ((points + 1) * (image.shape[0] / 2)).round().astype(np.int32)
    cv2.polylines(image, [places], False, colour, thick)


def hand(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw a hand or a glove: open, or with bent fingers, and its arm."""
    shape = np.zeros((side, side), np.uint8)
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    spread, thick = rng.uniform(0.06, 0.28), rng.uniform(0.14, 0.19)
    shade = np.zeros((side, side), np.float32)
    limbs: list[Any] = [  # start, end and width: the arm, the palm, ...
        ((0, 0.25), (0, 0.95), 0.4),
        ((0, 0.02), (0, 0.2), 0.56),
    ]
    for finger in range(4):
        lean = (finger - 1.5) * spread
        length = rng.uniform(0.35, 0.62) * (1 - 0.12 * abs(finger - 1.4))
        root = (finger - 1.5) * 0.16, -0.2 + 0.03 * abs(finger - 1.5)
        tip = root[0] + length * np.sin(lean), root[1] - length * np.cos(lean)
        limbs.append((root, tip, thick))
    limbs.append(((-0.22, 0.12), (-0.58, rng.uniform(-0.35, 0)), thick * 1.15))
    for start, end, width in limbs:
        limb = np.zeros_like(shape)
        points = turn(np.array([start, end]) * [flip, 1], angle)
        draw_line(limb, points, 255, round(width * side / 2))
        shade = np.maximum(shade, rounded(limb, 0.45)[..., 0] * (limb > 0))
        shape |= limb
    bare = rng.random() < 0.7
    colour = tint(rng, 'skin', 8) if bare else palette(rng, 3)[1]
    grain = 0.92 + 0.16 * noise(rng, side, 12)
    return shape, colour * (np.maximum(shade, 0.7) * grain)[..., None]


def net(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw a net or a fence: two families of strings, and holes."""
    sag = noise(rng, side, 2, 2) * rng.choice([0, 0.25])
    spacing = rng.uniform(0.16, 0.36)
    half = rng.uniform(0.17, 0.3)  # of a string, as a share of the spacing
    one, two = (
        np.abs((axis + sag) / spacing % 1 - 0.5) / half
        for axis in turned_axes(rng, side)
    )
    x, y = grid(side)
    power = rng.choice([2, 8])  # a round rim, or nearly a square
    inside = np.abs(x) ** power + (np.abs(y) * rng.uniform(1, 1.6)) ** power
    near = np.minimum(one, two)
    shape = ((near <= 1) & (inside <= 0.95)).astype(np.uint8) * 255
    shade = 1.15 - 0.6 * np.minimum(near, 1.2) ** 2
    grain = 0.85 + 0.3 * noise(rng, side, 40, 2)
    return shape, palette(rng, 2)[1] * (shade * grain)[..., None]


def ring(rng: Generator, side: int) -> tuple[Bytes, Floats]:
    """Draw a tyre, a hoop, or a wheel with spokes, seen at a slant."""
    along, across = turned_axes(rng, side)
    across = across / rng.uniform(0.55, 1)
    radius = np.hypot(along, across)
    outer, hole = 0.97, rng.uniform(0.45, 0.75)
    middle, half = (outer + hole) / 2, (outer - hole) / 2
    place = np.abs(radius - middle) / half
    shape = place <= 1
    if rng.random() < 0.6:
        spokes = int(rng.integers(3, 9))
        angle = np.arctan2(across, along) * (spokes / 2 / np.pi) % 1
        beside = np.abs(angle - 0.5) * (2 * np.pi / spokes) * radius
        spoke = (beside < rng.uniform(0.04, 0.09)) & (radius < middle)
        shape |= spoke | (radius < 0.18)
    shade = 1.15 - 0.6 * np.minimum(place, 1) ** 2
    grain = 0.9 + 0.2 * noise(rng, side, 24, 2)
    colours = palette(rng, 2)[0] * (shade * grain)[..., None]
    return shape.astype(np.uint8) * 255, colours


Draw = Callable[[Generator, int], tuple[Bytes, Floats]]
CUTOUTS: dict[str, tuple[Draw, ...]] = {
    'train': (blob, bars, leaf),
    'test': (hand, net, ring),
}
