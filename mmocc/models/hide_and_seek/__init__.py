"""Hide-and-Seek: localization without boxes (arXiv 1704.04232, 1811.02545).

How a batch flows through these files:

1. ``hiding_data_preprocessor`` normalises images (N, 3, H, W) and hides random
   grid cells with ``batch_hide_and_seek``; ``hide_features`` hides cells of
   maps inside a network; ``batch_hide_segments`` hides parts of sequences.
2. ``alexnet_gap``, ``googlenet_gap``, ``vgg_gap`` (``torchvision_features``
   loads their weights) or any backbone turn images into maps (N, C, h, w);
   ``temporal_conv_net`` does it for sequences (N, C, T).
3. ``cam_head`` pools the maps, classifies, and at test time returns a class
   activation map (h, w) for each image.
4. ``cam_ensemble`` averages the maps of several models, ``ten_crop`` those of
   ten crops of an image.

The same transform in a pipeline is ``mmocc.HideAndSeek``; metrics of the maps
are in ``mmocc.evaluation``.
"""

from mmocc.models.hide_and_seek.batch_hide_and_seek import BatchHideAndSeek
from mmocc.models.hide_and_seek.batch_hide_segments import BatchHideSegments
from mmocc.models.hide_and_seek.hide_features import HideFeatures
from mmocc.registry import HAS_MMPRETRAIN

__all__ = ['BatchHideAndSeek', 'BatchHideSegments', 'HideFeatures']

if HAS_MMPRETRAIN:
    from mmocc.models.hide_and_seek.alexnet_gap import AlexNetGAP
    from mmocc.models.hide_and_seek.cam_ensemble import CAMEnsemble
    from mmocc.models.hide_and_seek.cam_head import CAMHead
    from mmocc.models.hide_and_seek.googlenet_gap import GoogLeNetGAP
    from mmocc.models.hide_and_seek.hiding_data_preprocessor import (
        HidingDataPreprocessor,
    )
    from mmocc.models.hide_and_seek.temporal_conv_net import TemporalConvNet
    from mmocc.models.hide_and_seek.ten_crop import TenCropTTA
    from mmocc.models.hide_and_seek.vgg_gap import VGGGAP

    __all__ += [
        'VGGGAP',
        'AlexNetGAP',
        'CAMEnsemble',
        'CAMHead',
        'GoogLeNetGAP',
        'HidingDataPreprocessor',
        'TemporalConvNet',
        'TenCropTTA',
    ]
