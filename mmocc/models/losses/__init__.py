"""Losses."""

from mmocc.models.losses.feature_losses import (
    FeatureReconstructionLoss,
    InterClassLatentLoss,
    IntraClassLatentLoss,
)
from mmocc.models.losses.iou_losses import (
    DIoULoss,
    EIoULoss,
    FocalEIoULoss,
    GIoULoss,
    IoUTypeLoss,
    diou_loss,
    eiou_loss,
    focal_eiou_loss,
    giou_loss,
)

__all__ = [
    'DIoULoss',
    'EIoULoss',
    'FeatureReconstructionLoss',
    'FocalEIoULoss',
    'GIoULoss',
    'InterClassLatentLoss',
    'IntraClassLatentLoss',
    'IoUTypeLoss',
    'diou_loss',
    'eiou_loss',
    'focal_eiou_loss',
    'giou_loss',
]
