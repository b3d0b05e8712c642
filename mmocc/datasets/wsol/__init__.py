"""Readers of localization data: one layout each, labels apart from boxes.

Pure Python and NumPy, no OpenMMLab import. ``mmocc.WSOLDataset`` is the data
set over them.
"""

from mmocc.datasets.wsol.cub import CUBReader
from mmocc.datasets.wsol.ilsvrc import ILSVRCReader
from mmocc.datasets.wsol.metadata import MetadataReader
from mmocc.datasets.wsol.reader import WSOLImage, WSOLReader
from mmocc.datasets.wsol.tiny_imagenet import TinyImageNetReader
from mmocc.datasets.wsol.voc import VOCSingleReader

LAYOUTS: dict[str, type[WSOLReader]] = {
    'cub': CUBReader,
    'ilsvrc': ILSVRCReader,
    'metadata': MetadataReader,
    'tiny_imagenet': TinyImageNetReader,
    'voc': VOCSingleReader,
}

__all__ = ['LAYOUTS', 'WSOLImage', 'WSOLReader']
