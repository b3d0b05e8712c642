"""DEA: a detector that redraws each object; a bad redrawing is anomalous.

How images (N, 3, H, W) flow through these files:

1. ``ssd_iou_head`` predicts K boxes from SSD's maps and remembers which prior
   made each; ``ssd_losses`` trains it, with a box loss of ``iou_losses``.
2. ``prior_level_roi_extractor`` cuts features (K, C, 7, 7), each from the map
   that predicted the box; ``decoders`` makes pictures (K, c, s, s) of them;
   ``feature_decoder``, if asked for, redraws features instead.
3. ``regions`` cuts the same objects out of the images; ``anomaly_judge``
   compares the two with ``anomaly_scores``: a number (K,) for each score.

``dea`` is the detector that does all this; ``tta`` merges it over mirror
images, ``export`` gives it to ONNX.

Baselines, for images of one part each: ``pca_image`` (and the mean image),
``padim``, ``patchcore``, in the frame of ``part_baseline``.
"""

from mmocc.models.dea.decoders import ConvDecoder, FCDecoder
from mmocc.models.dea.feature_decoder import FeatureDecoder
from mmocc.models.dea.iou_losses import (
    CIoULoss,
    DIoULoss,
    EIoULoss,
    FocalEIoULoss,
    GIoULoss,
    IoUTypeLoss,
    ciou_loss,
    diou_loss,
    eiou_loss,
    focal_eiou_loss,
    giou_loss,
)
from mmocc.utils.hosts import absent, usable

__all__ = [
    'DEA',
    'DEATTA',
    'CIoULoss',
    'ConvDecoder',
    'DIoULoss',
    'EIoULoss',
    'FCDecoder',
    'FeatureDecoder',
    'FocalEIoULoss',
    'GIoULoss',
    'IoUTypeLoss',
    'PCAImage',
    'PaDiM',
    'PatchCore',
    'PriorLevelRoIExtractor',
    'SSDIoUHead',
    'ciou_loss',
    'diou_loss',
    'eiou_loss',
    'focal_eiou_loss',
    'giou_loss',
]

if usable('mmdet.models'):
    from mmocc.models.dea.dea import DEA
    from mmocc.models.dea.padim import PaDiM
    from mmocc.models.dea.patchcore import PatchCore
    from mmocc.models.dea.pca_image import PCAImage
    from mmocc.models.dea.prior_level_roi_extractor import (
        PriorLevelRoIExtractor,
    )
    from mmocc.models.dea.ssd_iou_head import SSDIoUHead
    from mmocc.models.dea.tta import DEATTA

__getattr__ = absent(__name__, {'mmdet.models': __all__})
