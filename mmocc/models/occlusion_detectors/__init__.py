"""Detectors of occluded patches."""

from mmocc.models.occlusion_detectors.mae_error_detector import (
    MAEErrorDetector,
)
from mmocc.models.occlusion_detectors.patch_detector import (
    PatchDetection,
    PatchDetector,
)
from mmocc.models.occlusion_detectors.patch_svdd import PatchSVDD

__all__ = ['MAEErrorDetector', 'PatchDetection', 'PatchDetector', 'PatchSVDD']
