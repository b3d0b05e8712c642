"""Losses."""

from mmocc.models.losses.feature_losses import (
    FeatureReconstructionLoss,
    InterClassLatentLoss,
    IntraClassLatentLoss,
)

__all__ = [
    'FeatureReconstructionLoss',
    'InterClassLatentLoss',
    'IntraClassLatentLoss',
]
