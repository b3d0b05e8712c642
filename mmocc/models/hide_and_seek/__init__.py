"""Hide-and-Seek: localization without boxes (arXiv 1704.04232, 1811.02545).

How a batch flows through these files:

1. ``hiding_data_preprocessor`` normalises images (N, 3, H, W) and hides random
   grid cells with ``batch_hide_and_seek``, which also hides parts of maps
   inside a network, and of sequences.
2. ``backbones``, ``inception_cam``, or any other, turn images into maps
   (N, C, h, w), and ``temporal_conv_net`` sequences into maps (N, C, T, 1).
3. ``cam_head`` pools the maps, classifies, and in testing returns class maps
   (h, w) for each image. Rivals: ``adl`` drops or weighs a map by its own
   attention, ``acol_head`` has two classifiers, ``spg_head`` learns masks
   (from ``inner_maps`` of a backbone), ``ts_cam`` weighs a ViT's patches.
4. ``cam_averages`` averages the maps of several models, or of ten crops.

The same transform in a pipeline is ``mmocc.HideAndSeek``; metrics of the maps
are in ``mmocc.evaluation``.
"""

from mmocc.models.hide_and_seek.adl import ADL
from mmocc.models.hide_and_seek.batch_hide_and_seek import (
    BatchHideAndSeek,
    BatchHideSegments,
    HideFeatures,
)
from mmocc.utils.hosts import absent, usable

__all__ = [
    'ADL',
    'VGGGAP',
    'ACoLHead',
    'AlexNetGAP',
    'BatchHideAndSeek',
    'BatchHideSegments',
    'CAMEnsemble',
    'CAMHead',
    'GoogLeNetGAP',
    'HideFeatures',
    'HidingDataPreprocessor',
    'InceptionV3CAM',
    'InnerMapsBackbone',
    'SPGHead',
    'TSCAMHead',
    'TSCAMViT',
    'TemporalConvNet',
    'TenCropTTA',
]

if usable('mmpretrain.models'):
    from mmocc.models.hide_and_seek.acol_head import ACoLHead
    from mmocc.models.hide_and_seek.backbones import (
        VGGGAP,
        AlexNetGAP,
        GoogLeNetGAP,
    )
    from mmocc.models.hide_and_seek.cam_averages import CAMEnsemble, TenCropTTA
    from mmocc.models.hide_and_seek.cam_head import CAMHead
    from mmocc.models.hide_and_seek.hiding_data_preprocessor import (
        HidingDataPreprocessor,
    )
    from mmocc.models.hide_and_seek.inception_cam import InceptionV3CAM
    from mmocc.models.hide_and_seek.inner_maps import InnerMapsBackbone
    from mmocc.models.hide_and_seek.spg_head import SPGHead
    from mmocc.models.hide_and_seek.temporal_conv_net import TemporalConvNet
    from mmocc.models.hide_and_seek.ts_cam import TSCAMHead, TSCAMViT

__getattr__ = absent(__name__, {'mmpretrain.models': __all__})
