"""Finds, draws, turns and compares the glyphs that serve as ornaments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

# All come with matplotlib (DejaVu, STIX, Bakoma: free licences).
FONTS = (
    'DejaVuSans.ttf',
    'STIXGeneral.ttf',
    'DejaVuSerif.ttf',
    'DejaVuSansMono.ttf',
    'DejaVuSans-Bold.ttf',
    'cmsy10.ttf',
)
# Unicode blocks of symbols and dingbats; first and last code point.
BLOCKS = (
    (0x2190, 0x21FF),  # arrows
    (0x2300, 0x23FF),  # miscellaneous technical
    (0x25A0, 0x25FF),  # geometric shapes
    (0x2600, 0x26FF),  # miscellaneous symbols
    (0x2701, 0x27BF),  # dingbats
    (0x2B00, 0x2BFF),  # more symbols and arrows
    (0x1F030, 0x1F0FF),  # dominoes and playing cards
    (0x1F300, 0x1F64F),  # pictographs and faces
)
_BY_BLOCK = ('DejaVu', 'STIX')  # text fonts; in others all glyphs serve
INK = 128  # grey value from which a pixel is ink
ORIENTATIONS = ('', 'r90', 'r180', 'r270', 'm', 'mr90', 'mr180', 'mr270')
# Lines and dots are not ornaments.
MIN_ASPECT, MIN_INK = 0.3, 0.15
_SMALL, _LARGE = 64, 512  # font sizes in pixels: to compare, and to scale down
_THUMB, _BLUR = 24, 1.25


def find_font(font: str) -> Path:
    """Return the path of a font of matplotlib's, or of another.

    FileNotFoundError if there is none; it lists matplotlib's fonts.
    """
    folder = Path(matplotlib.get_data_path(), 'fonts', 'ttf')
    for path in (folder / font, Path(font)):
        if path.is_file():
            return path
    names = ', '.join(sorted(path.name for path in folder.glob('*.ttf')))
    raise FileNotFoundError(
        f'font {font}: neither a file nor one that matplotlib carries, which '
        f'are {names}'
    )


def list_codes(path: Path) -> list[int]:
    """Return the code points of the glyphs that may be ornaments, each once.

    ValueError if the file is not a font.
    """
    try:
        charmap = FT2Font(str(path)).get_charmap()
    except (OSError, RuntimeError) as error:
        raise ValueError(f'{path}: not a readable font ({error})') from error
    codes, known = [], set()
    for code, glyph in sorted(charmap.items()):
        if glyph not in known and _is_symbol(path, code):
            known.add(glyph)
            codes.append(code)
    return codes


def _is_symbol(path: Path, code: int) -> bool:
    """Return whether a code point stands for an ornament in this font."""
    if not path.name.startswith(_BY_BLOCK):
        return True
    return any(low <= code <= high for low, high in BLOCKS)


@dataclass(frozen=True, eq=False)
class Glyph:
    """One glyph in one orientation.

    Attributes:
        path: Font file.
        code: Code point.
        ink: (h, w) uint8, 255 = ink, cropped to its ink.
        orientation: ``m`` if it is mirrored, then ``r`` and the degrees
            counter-clockwise that it is turned; empty for as in the font.
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
        """Return this glyph, which is as in its font, in all orientations."""
        return [
            replace(self, ink=ink, orientation=name)
            for name, ink in zip(ORIENTATIONS, turn(self.ink), strict=True)
        ]

    def resized(self, side: int) -> 'Glyph':
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
    """Yield glyphs that may be ornaments, without blanks, lines and dots."""
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
    """Return small, softened pictures of all orientations, (8, d) float32.

    Of mean 0 and norm 1: the dot product of two is their correlation.
    """
    scale = _THUMB / max(ink.shape)
    # Even, so that it stays in the middle when it is turned.
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

    ``similarity`` is the correlation of thumbnails from which they do.
    """
    firsts, thumbs = [], np.zeros((len(glyphs), _THUMB**2), np.float32)
    for glyph in glyphs:
        views, count = thumbnails(glyph.ink), len(firsts)
        if not count or (thumbs[:count] @ views.T).max() < similarity:
            thumbs[count] = views[0]
            firsts.append(glyph)
    return firsts


def differing_turns(glyph: Glyph, similarity: float) -> list[Glyph]:
    """Return a glyph, as in its font, and its turns that do not look alike."""
    thumbs = thumbnails(glyph.ink)
    numbers: list[int] = []
    for number, thumb in enumerate(thumbs):
        if not numbers or (thumbs[numbers] @ thumb).max() < similarity:
            numbers.append(number)
    turned = glyph.turned()
    return [turned[number] for number in numbers]
