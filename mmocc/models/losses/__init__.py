"""Losses."""

from mmocc.models.losses.feature_consistency_loss import FeatureConsistencyLoss
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
from mmocc.models.losses.relativistic_gan_loss import RelativisticGANLoss
from mmocc.models.losses.semantic_consistency_loss import (
    SemanticConsistencyLoss,
)

__all__ = [
    'DIoULoss',
    'EIoULoss',
    'FeatureConsistencyLoss',
    'FeatureReconstructionLoss',
    'FocalEIoULoss',
    'GIoULoss',
    'InterClassLatentLoss',
    'IntraClassLatentLoss',
    'IoUTypeLoss',
    'RelativisticGANLoss',
    'SemanticConsistencyLoss',
    'diou_loss',
    'eiou_loss',
    'focal_eiou_loss',
    'giou_loss',
]
