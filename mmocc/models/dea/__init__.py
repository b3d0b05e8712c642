"""DEA: a detector that redraws each object; a bad redrawing is anomalous.

How a batch flows through these files:

1. ``ssd_iou_head`` predicts boxes and classes from SSD's maps and remembers
   which prior made each box; ``ssd_losses`` trains it, with a box loss of
   ``iou_losses`` (GIoU, DIoU, Efficient-IoU, Focal-EIoU).
2. ``prior_level_roi_extractor`` cuts features (K, C, k, k) of K boxes, each
   from the map that predicted it.
3. One of the ``decoders`` turns them into pictures (K, 1, s, s).
4. ``regions`` cuts the same objects out of the image; ``anomaly_scores``
   compares the two, and ``anomaly_judge`` compares the scores with those of
   normal objects.
5. ``dea`` is the detector that does all this.
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
