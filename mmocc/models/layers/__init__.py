"""Layers that any model may use."""

from mmocc.models.layers.batch_hide_and_seek import BatchHideAndSeek
from mmocc.models.layers.batch_hide_segments import BatchHideSegments
from mmocc.models.layers.batch_occluder import BatchOccluder
from mmocc.models.layers.hide_features import HideFeatures

__all__ = [
    'BatchHideAndSeek',
    'BatchHideSegments',
    'BatchOccluder',
    'HideFeatures',
]
