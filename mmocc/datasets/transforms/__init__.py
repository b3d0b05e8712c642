"""Thin pipeline classes over the occlusion core."""

from mmocc.datasets.transforms.crop_object import CropObject
from mmocc.datasets.transforms.hide_and_seek import HideAndSeek
from mmocc.datasets.transforms.load_occlusion_masks import (
    LoadOcclusionMasks,
)
from mmocc.datasets.transforms.occlude import Occlude
from mmocc.datasets.transforms.occlude_objects import OccludeObjects

__all__ = [
    'CropObject',
    'HideAndSeek',
    'LoadOcclusionMasks',
    'Occlude',
    'OccludeObjects',
]
