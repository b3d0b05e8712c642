"""The occlusion core: what hides pixels, and how much (no mm import)."""

from mmocc.occlusion.levels import (
    CLEAN,
    HARD_LEVELS,
    KINDS,
    LEVELS,
    CutOffError,
    EmptyRegionError,
    UnreachableLevelError,
    cell_names,
    check_kind,
    level_range,
    list_levels,
    pixel_bounds,
    split_cell,
)
from mmocc.occlusion.occlude import OCCLUSION_VERSION, occlude_object
from mmocc.occlusion.occluders import OccluderBank, Occluders

__all__ = [
    'CLEAN',
    'HARD_LEVELS',
    'KINDS',
    'LEVELS',
    'OCCLUSION_VERSION',
    'CutOffError',
    'EmptyRegionError',
    'OccluderBank',
    'Occluders',
    'UnreachableLevelError',
    'cell_names',
    'check_kind',
    'level_range',
    'list_levels',
    'occlude_object',
    'pixel_bounds',
    'split_cell',
]
