"""Extractors of the features of regions."""

from mmocc.models.roi_extractors.prior_level_roi_extractor import (
    PriorLevelRoIExtractor,
)

__all__ = ['PriorLevelRoIExtractor']
