"""Readers of real data layouts."""

from mmocc.datasets.occlusion_cells import OcclusionCells
from mmocc.registry import HAS_MMPRETRAIN

__all__ = ['OcclusionCells']

if HAS_MMPRETRAIN:  # the transforms below this package must import without it
    from mmocc.datasets.occluded_pascal3d import OccludedPASCAL3D
    from mmocc.datasets.occluded_vehicles import OccludedVehicles
    from mmocc.datasets.voc_objects import VOCObjects

    __all__ += ['OccludedPASCAL3D', 'OccludedVehicles', 'VOCObjects']
