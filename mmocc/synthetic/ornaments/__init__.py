"""Makes pages of ornaments by the protocol of the DEA paper.

M. S. Khan, R. Emonet, T. Fournel, "Vignette detection and reconstruction of
composed ornaments with a strengthened autoencoder", HAL hal-03409930, 2021,
section III-A. The paper's vignettes are not public; here they are glyphs.
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
