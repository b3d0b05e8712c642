"""Occlusion for pipelines without mm: torchvision's, PIL, arrays, dicts.

It imports torch, NumPy, OpenCV and Pillow; torchvision only to give back its
own types.
"""

from mmocc.transforms.hide_and_seek import HideAndSeek
from mmocc.transforms.occlude import Occlude

__all__ = ['HideAndSeek', 'Occlude']
