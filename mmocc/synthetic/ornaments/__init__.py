"""Makes pages of ornaments by the protocol of the DEA paper.

HAL hal-03409930, section III-A. Its vignettes are not public; here they are
glyphs.
"""

from mmocc.synthetic.ornaments.dictionary import (
    PAPER,
    REDUCED,
    SPLITS,
    OrnamentSettings,
)
from mmocc.synthetic.ornaments.writer import write_ornaments

__all__ = [
    'PAPER',
    'REDUCED',
    'SPLITS',
    'OrnamentSettings',
    'write_ornaments',
]
