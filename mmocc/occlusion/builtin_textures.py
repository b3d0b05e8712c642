"""Textures that mmocc draws itself: occluders without a folder of photos.

Those to train with are noise fields and stripes, those to test with weaves
and cells: no generator serves both, so that a test shows what was learnt of
occlusion and not of a pattern. Photographs have more variety; these are for a
first run, and for who has none.

All functions are pure; lengths are shares of the side.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[Any]  # of float32 or float64

SPLITS = ('train', 'test')
SIDE = 256  # smaller sheets are drawn at this side and shrunk


def generator_of(split: str, seed: int, index: int) -> Generator:
    """Return the source of all random numbers of one picture of a bank.

    Raises:
        ValueError: If the split is unknown.
    """
    if split not in SPLITS:
        raise ValueError(
            f'unknown split {split!r} of the built-in banks; choose from '
            f'{list(SPLITS)}'
        )
    return np.random.default_rng([seed, SPLITS.index(split), index])


def draw_textures(
    split: str, number: int = 32, size: int = SIDE, seed: int = 0
) -> Bytes:
    """Draw (number, size, size, 3) uint8 textures, BGR.

    A texture depends on split, seed and its index, not on the number; at
    another size it is the same picture.

    Raises:
        ValueError: If the split is unknown.
    """
    side = max(size, SIDE)
    sheets = np.empty((number, size, size, 3), np.uint8)
    for index in range(number):
        rng = generator_of(split, seed, index)
        draw = TEXTURES[split]
        sheet = draw[index % len(draw)](rng, side)
        if side != size:
            sheet = cv2.resize(
                sheet, (size, size), interpolation=cv2.INTER_AREA
            )
        sheets[index] = sheet.round().clip(0, 255)
    return sheets


def palette(rng: Generator, number: int) -> Floats:
    """Draw (number, 3) colours in 0 to 255 that differ in brightness."""
    base = rng.uniform(60, 195) + rng.uniform(-70, 70, 3)
    light = np.linspace(-1, 1, number)[:, None] * rng.uniform(50, 110)
    colours = base + light + rng.uniform(-35, 35, (number, 3))
    return colours.clip(0, 255).astype(np.float32)


def paint(values: Floats, colours: Floats) -> Floats:
    """Return the colours (S, S, 3) of values in [0, 1], mixed in between."""
    steps = np.linspace(0, 1, len(colours))
    place = np.linspace(0, 1, 1024)
    table: Floats = np.stack(
        [np.interp(place, steps, channel) for channel in colours.T], axis=1
    )
    return table[(values * 1023).astype(np.int32)]


def noise(rng: Generator, side: int, cells: int, octaves: int = 4) -> Floats:
    """Draw a smooth (side, side) field in [0, 1], with finer detail on it.

    Its coarsest bumps are side / cells wide; each octave halves the width and
    the height of the bumps.
    """
    field: Floats = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        knots = rng.random((cells * 2**octave + 1,) * 2, np.float32)
        field += cv2.resize(
            knots, (side, side), interpolation=cv2.INTER_CUBIC
        ) / np.float32(2**octave)
    field -= field.min()
    field /= field.max()
    return field


def turned_axes(rng: Generator, side: int) -> tuple[Floats, Floats]:
    """Return two crossed axes (side, side), about -1 to 1, turned anyhow."""
    angle = rng.uniform(0, np.pi)
    line = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = line[None], line[:, None]
    return x * cos + y * sin, y * cos - x * sin


def noise_field(rng: Generator, side: int) -> Floats:
    """Draw clouds, or veins like those of marble."""
    field = noise(rng, side, int(rng.integers(2, 9)))
    if rng.random() < 0.5:
        turns = rng.uniform(2, 6)
        field = 0.5 + 0.5 * np.sin(2 * np.pi * turns * field)
    return paint(field, palette(rng, int(rng.integers(3, 6))))


def stripes(rng: Generator, side: int) -> Floats:
    """Draw stripes of several widths and colours, straight or waving."""
    along, _ = turned_axes(rng, side)
    wave = rng.choice([0, 0.1, 0.3]) * noise(rng, side, 3, 2)
    place = (along + wave + 2) * rng.uniform(2, 10)
    colours = palette(rng, int(rng.integers(2, 5)))
    ends = rng.uniform(0.15, 1, len(colours)).cumsum()
    ends = ends / ends[-1]
    part = np.searchsorted(ends[:-1], place % 1, side='right')
    grain = 0.9 + 0.2 * noise(rng, side, 32, 2)
    striped: Floats = colours[part] * grain[..., None]
    return striped


def weave(rng: Generator, side: int) -> Floats:
    """Draw threads that pass over and under one another."""
    threads = rng.uniform(6, 18)
    x, y = (axis * threads + 64 for axis in turned_axes(rng, side))
    step = int(rng.integers(1, 4))  # 1: plain weave; else twill
    over = (x.astype(np.int32) + step * y.astype(np.int32)) % (step + 1) == 0
    warp, weft = palette(rng, 2)
    across = np.where(over, x % 1, y % 1) - 0.5
    shade = 1.1 - 2.4 * across**2
    fibres = 0.85 + 0.3 * noise(rng, side, 48, 2)
    colour = np.where(over[..., None], warp, weft)
    return colour * (shade * fibres)[..., None]


def cells(rng: Generator, side: int) -> Floats:
    """Draw the cells next to random points, such as pebbles or cobbles."""
    number = int(rng.integers(12, 120))
    ground = np.full((side, side), 1, np.uint8)
    x, y = (rng.random((2, number)) * side).astype(np.int32)
    ground[y, x] = 0
    far, label = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    tints = palette(rng, 6)[rng.integers(6, size=label.max() + 1)]
    tints = tints + rng.uniform(-20, 20, tints.shape)
    width = max(3, round(side / 64))
    kernel = np.ones((width, width), np.uint8)
    names = label.astype(np.float32)
    joint = cv2.morphologyEx(names, cv2.MORPH_GRADIENT, kernel) > 0
    shade = 1.15 - rng.uniform(0, 0.6) * far / far.max()
    shade = np.where(joint, rng.uniform(0.2, 0.6), shade)
    grain = 0.9 + 0.2 * noise(rng, side, 24, 2)
    colours: Floats = tints[label] * (shade * grain)[..., None]
    return colours


TEXTURES: dict[str, tuple[Callable[[Generator, int], Floats], ...]] = {
    'train': (noise_field, stripes),
    'test': (weave, cells),
}
