"""Places objects on a page and prints it."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmocc.synthetic.ornaments.dictionary import (
    SPLITS,
    Dictionary,
    OrnamentSettings,
)
from mmocc.synthetic.ornaments.glyphs import Glyph

OUTSIDE = -1  # label of what is outside the dictionary
ATTEMPTS = 20  # layouts tried before an object is left out


@dataclass(frozen=True)
class PlacedGlyph:
    """A printed glyph, its class or ``OUTSIDE``, and its upper left corner."""

    glyph: Glyph
    label: int
    x: int  # in pixels
    y: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Half-open xyxy in pixels, tight around the ink."""
        height, width = self.glyph.ink.shape
        return self.x, self.y, self.x + width, self.y + height


def draw_page(
    settings: OrnamentSettings,
    dictionary: Dictionary,
    split: str,
    number: int,
) -> tuple[np.ndarray, list[PlacedGlyph], int]:
    """Draw one page, which the settings and its place in the set decide.

    Returns:
        (page, page) uint8, 0 = black; its objects, largest first; the number
        of objects for which the page had no room.
    """
    stream = (settings.seed, SPLITS.index(split), number)
    rng = np.random.default_rng(stream)
    glyphs = choose_glyphs(settings, dictionary, split, rng)
    placed: list[PlacedGlyph] = []
    for _ in range(ATTEMPTS):
        layout = place(glyphs, settings, rng)
        if not placed or len(layout) > len(placed):
            placed = layout
        if len(placed) == len(glyphs):
            break
    return print_page(placed, settings, rng), placed, len(glyphs) - len(placed)


def choose_glyphs(
    settings: OrnamentSettings,
    dictionary: Dictionary,
    split: str,
    rng: np.random.Generator,
) -> list[tuple[Glyph, int]]:
    """Draw the objects of a page and their labels; numbers are Poisson's."""
    outside = settings.outside if split == 'test' else 0.0
    labels = rng.integers(
        len(dictionary.classes), size=rng.poisson(settings.objects - outside)
    )
    chosen = [(dictionary.classes[label], int(label)) for label in labels]
    if outside:
        picks = rng.integers(
            len(dictionary.outside), size=rng.poisson(outside)
        )
        chosen += [(dictionary.outside[pick], OUTSIDE) for pick in picks]
    return chosen


def place(
    glyphs: list[tuple[Glyph, int]],
    settings: OrnamentSettings,
    rng: np.random.Generator,
) -> list[PlacedGlyph]:
    """Place objects, the largest first, at random free places, if any."""
    used = np.zeros((settings.page, settings.page), np.uint8)
    gap = 0 if settings.overlap else settings.gap
    placed = []
    for glyph, label in sorted(glyphs, key=lambda g: -g[0].ink.size):
        height, width = glyph.ink.shape
        sums = cv2.integral(used)
        covered = (
            sums[height:, width:]
            - sums[:-height, width:]
            - sums[height:, :-width]
            + sums[:-height, :-width]
        )
        free = np.flatnonzero(covered <= settings.overlap * height * width)
        if not len(free):
            continue
        y, x = divmod(int(rng.choice(free)), covered.shape[1])
        placed.append(PlacedGlyph(glyph, label, x, y))
        top, left = max(0, y - gap), max(0, x - gap)
        used[top : y + height + gap, left : x + width + gap] = 1
    return placed


def print_page(
    placed: list[PlacedGlyph],
    settings: OrnamentSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """Print objects over each other; return (page, page) uint8, 0 = black."""
    page = np.full((settings.page, settings.page), 255, np.uint8)
    for item in placed:
        x1, y1, x2, y2 = item.box
        part = page[y1:y2, x1:x2]
        np.minimum(part, 255 - item.glyph.ink, out=part)
    light = page.astype(np.float32) / 255
    if settings.noise:
        light = scan(light, settings.noise, rng)
    # As for boxes, a pixel is ink from INK on, of 255.
    steps = settings.grey_levels - 1
    return np.round(np.floor(light * steps + 0.5) * (255 / steps)).astype(
        np.uint8
    )


def scan(
    page: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Add the noise of a scanner and of old paper to a page.

    Blur, uneven ink and light, grain and specks; at 1 each is easy to see.
    The page is (h, w) float32, 0 = black, 1 = white, and so is the result.
    """
    height, width = page.shape
    grain = rng.normal(0, 1, page.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.2)  # standard deviation 0.24
    coarse = rng.uniform(-1, 1, (4, 4)).astype(np.float32)
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    page = cv2.GaussianBlur(page, (0, 0), 0.3 + noise)
    page = 0.1 * noise + (1 - 0.2 * noise) * page
    page = page + noise * (0.35 * grain + 0.12 * light)
    count = rng.poisson(noise * page.size / 8000)
    spots = rng.integers((0, 0, 0, 0), (width, height, 3, 2), (count, 4))
    for x, y, radius, value in spots.tolist():
        cv2.circle(page, (x, y), radius, float(value), -1)
    return np.clip(page, 0, 1)
