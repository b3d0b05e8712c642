"""Draws glyphs, turns and mirrors them, and tells which look alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmocc.synthetic.ornaments.fonts import find_font, list_codes

INK = 128  # grey value from which a pixel is ink
ORIENTATIONS = ('', 'r90', 'r180', 'r270', 'm', 'mr90', 'mr180', 'mr270')
# Lines and dots are no ornaments.
MIN_ASPECT, MIN_INK = 0.3, 0.15
_SMALL, _LARGE = 64, 512  # font sizes in pixels: to compare, and to scale down
_THUMB, _BLUR = 24, 1.25


@dataclass(frozen=True, eq=False)
class Glyph:
    """One glyph in one orientation.

    Attributes:
        path: Font file.
        code: Code point.
        ink: (h, w) uint8, 255 = ink, cropped to its ink.
        orientation: How it is turned (``r``, degrees counter-clockwise) after
            it was mirrored (``m``) or not; empty for as in the font.
    """

    path: Path
    code: int
    ink: np.ndarray
    orientation: str = ''

    @property
    def source(self) -> str:
        """Name of the glyph in any orientation."""
        return f'{self.path.stem}_U{self.code:04X}'

    @property
    def name(self) -> str:
        """Name of the glyph in this orientation."""
        return '_'.join(filter(None, (self.source, self.orientation)))

    def turned(self) -> list['Glyph']:
        """Return a glyph that is as in its font in all orientations."""
        return [
            replace(self, ink=ink, orientation=name)
            for name, ink in zip(ORIENTATIONS, turn(self.ink), strict=True)
        ]

    def redrawn(self, side: int) -> 'Glyph':
        """Return the glyph with this longer side, in pixels."""
        ink = draw_glyph(self.path, self.code, _LARGE)
        ink = turn(ink)[ORIENTATIONS.index(self.orientation)]
        height, width = ink.shape
        scale = side / max(height, width)
        size = [max(1, round(length * scale)) for length in (width, height)]
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
        return replace(self, ink=crop_ink(ink))


def turn(ink: np.ndarray) -> list[np.ndarray]:
    """Return a picture in the order of ``ORIENTATIONS``."""
    return [
        np.ascontiguousarray(np.rot90(side, k))
        for side in (ink, ink[:, ::-1])
        for k in range(4)
    ]


def crop_ink(picture: np.ndarray) -> np.ndarray:
    """Cut a picture down to its ink; empty (0, 0) if there is none."""
    rows, columns = (
        np.flatnonzero((picture >= INK).any(axis=axis)) for axis in (1, 0)
    )
    if not len(rows):
        return picture[:0, :0]
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def draw_glyph(path: Path, code: int, points: int) -> np.ndarray:
    """Draw a glyph at a font size in pixels; return it cropped to its ink."""
    font = ImageFont.truetype(str(path), points)
    left, top, right, bottom = font.getbbox(chr(code))
    image = Image.new('L', (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), chr(code), fill=255, font=font)
    return crop_ink(np.array(image))


def read_glyphs(fonts: Sequence[str]) -> Iterator[Glyph]:
    """Yield the glyphs of fonts that may be ornaments, in the fonts' order.

    Blank glyphs are left out, and lines, dots and the like.
    """
    for font in fonts:
        path = find_font(font)
        for code in list_codes(path):
            ink = draw_glyph(path, code, _SMALL)
            if not ink.size or min(ink.shape) < MIN_ASPECT * max(ink.shape):
                continue
            if (ink >= INK).mean() >= MIN_INK:
                yield Glyph(path, code, ink)


def detail(glyph: Glyph) -> float:
    """Return how ornate a glyph is: length of its outline over its side."""
    shape = np.pad(glyph.ink >= INK, 1)
    edges = sum(np.count_nonzero(np.diff(shape, axis=k)) for k in (0, 1))
    return edges / max(glyph.ink.shape)


def thumbnails(ink: np.ndarray) -> np.ndarray:
    """Return small, softened pictures of all orientations.

    The aspect ratio is kept.

    Returns:
        (8, d) float32 of mean 0 and norm 1: the dot product of two is their
        Pearson correlation.
    """
    scale = _THUMB / max(ink.shape)
    # Even, so that it is in the very middle however it is turned.
    height, width = (max(2, 2 * round(n * scale / 2)) for n in ink.shape)
    small = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    thumb = np.zeros((_THUMB, _THUMB), np.float32)
    y, x = (_THUMB - height) // 2, (_THUMB - width) // 2
    thumb[y : y + height, x : x + width] = small
    thumb = cv2.GaussianBlur(thumb, (0, 0), _BLUR)
    thumb -= thumb.mean()
    thumb /= max(np.linalg.norm(thumb), 1e-6)
    return np.stack(turn(thumb)).reshape(len(ORIENTATIONS), -1)


def drop_alike(glyphs: Sequence[Glyph], similarity: float) -> list[Glyph]:
    """Keep the first of glyphs that look alike in any orientation.

    Args:
        glyphs: What to choose from.
        similarity: From which correlation of thumbnails on they look alike.
    """
    kept, thumbs = [], np.zeros((len(glyphs), _THUMB**2), np.float32)
    for glyph in glyphs:
        views = thumbnails(glyph.ink)
        if not kept or (thumbs[: len(kept)] @ views.T).max() < similarity:
            thumbs[len(kept)] = views[0]
            kept.append(glyph)
    return kept


def differing_turns(glyph: Glyph, similarity: float) -> list[Glyph]:
    """Return a glyph and its orientations that do not look alike.

    Args:
        glyph: As it is in its font.
        similarity: As for :func:`drop_alike`.
    """
    thumbs = thumbnails(glyph.ink)
    kept: list[int] = []
    for number, thumb in enumerate(thumbs):
        if not kept or (thumbs[kept] @ thumb).max() < similarity:
            kept.append(number)
    turned = glyph.turned()
    return [turned[number] for number in kept]
