"""DEA: a detector that redraws each object; a bad redrawing is anomalous.

``ssd_iou_head`` predicts boxes and remembers which prior made each. Then
``prior_level_roi_extractor`` cuts each box's features from the map that
predicted it, one of the ``decoders`` makes pictures of them, ``regions`` cuts
the same objects out of the image, and ``anomaly_judge`` compares the two with
``anomaly_scores``. ``dea`` is the detector that does all this.
"""

from mmocc.models.dea.decoders import ConvDecoder, FCDecoder
from mmocc.models.dea.iou_losses import (
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
from mmocc.registry import HAS_MMDET

__all__ = [
    'ConvDecoder',
    'DIoULoss',
    'EIoULoss',
    'FCDecoder',
    'FocalEIoULoss',
    'GIoULoss',
    'IoUTypeLoss',
    'diou_loss',
    'eiou_loss',
    'focal_eiou_loss',
    'giou_loss',
]

if HAS_MMDET:
    from mmocc.models.dea.dea import DEA
    from mmocc.models.dea.prior_level_roi_extractor import (
        PriorLevelRoIExtractor,
    )
    from mmocc.models.dea.ssd_iou_head import SSDIoUHead

    __all__ += ['DEA', 'PriorLevelRoIExtractor', 'SSDIoUHead']
