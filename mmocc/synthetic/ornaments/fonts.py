"""Which glyphs of which fonts may serve as ornaments."""

from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

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
_BY_BLOCK = ('DejaVu', 'STIX')  # text fonts; of others all glyphs serve


def find_font(font: str) -> Path:
    """Return the path of a font that matplotlib carries, or of another.

    Raises:
        FileNotFoundError: There is no such file; lists what there is.
    """
    folder = Path(matplotlib.get_data_path(), 'fonts', 'ttf')
    for path in (folder / font, Path(font)):
        if path.is_file():
            return path
    there = ', '.join(sorted(path.name for path in folder.glob('*.ttf')))
    raise FileNotFoundError(
        f'font {font}: neither a file nor one that matplotlib carries, which '
        f'are {there}'
    )


def list_codes(path: Path) -> list[int]:
    """Return the code points of the glyphs that may be ornaments.

    A glyph that several code points share comes once.

    Raises:
        ValueError: The file is no font.
    """
    try:
        charmap = FT2Font(str(path)).get_charmap()
    except (OSError, RuntimeError) as error:
        raise ValueError(f'{path}: not a readable font ({error})') from error
    codes, seen = [], set()
    for code, glyph in sorted(charmap.items()):
        if glyph not in seen and _is_symbol(path, code):
            seen.add(glyph)
            codes.append(code)
    return codes


def _is_symbol(path: Path, code: int) -> bool:
    """Return whether a code point stands for an ornament in this font."""
    if not path.name.startswith(_BY_BLOCK):
        return True
    return any(low <= code <= high for low, high in BLOCKS)
