"""Thin pipeline classes over the occlusion core."""

from mmocc.datasets.transforms.crop_object import CropObject
from mmocc.datasets.transforms.occlude import Occlude
from mmocc.datasets.transforms.occlude_objects import OccludeObjects

__all__ = ['CropObject', 'Occlude', 'OccludeObjects']
