"""The models, a folder for each method.

``from mmocc.models import LEARN`` imports the folder that holds the name, and
only that one: classification needs no mmdet, detection no mmpretrain.
"""

from importlib import import_module
from typing import Any

from mmocc.utils.hosts import require

_ROOMS = {
    'learn': (
        'LEARN',
        'BatchObjectOccluder',
        'BatchOccluder',
        'DistillationLoss',
        'FeatureReconstructionLoss',
        'FrozenBackboneClassifier',
        'InterClassLatentLoss',
        'IntraClassLatentLoss',
        'LEARNClassifier',
        'LEARNDetector',
        'OcclusionAugClassifier',
        'OcclusionAugDetector',
        'VGGClsHead',
    ),
    'backbones': ('EfficientNetLite',),
    'hide_and_seek': (
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
    ),
    'dea': (
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
        'PCAImage',
        'PaDiM',
        'PatchCore',
        'PriorLevelRoIExtractor',
        'SSDIoUHead',
    ),
    'ofer': (
        'ChannelSpatialAttention',
        'FeatureConsistencyLoss',
        'FeaturePatchDiscriminator',
        'FrozenNet',
        'HybridReconstructor',
        'HybridUNet',
        'LatentMLP',
        'LatentOFER',
        'LatentProjection',
        'LatentTokenSelector',
        'MAEErrorDetector',
        'MAEReconstructor',
        'OFERHead',
        'PatchDiscriminator',
        'PatchGaussian',
        'PatchLatentExtractor',
        'PatchSVDD',
        'RelativisticGANLoss',
        'SelfAssembly',
        'SemanticConsistencyLoss',
        'WeakenedFeatureClassifier',
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = list(_ROOM_OF)


def __getattr__(name: str) -> Any:
    """Import the folder that holds a class, and return the class."""
    if name not in _ROOM_OF:
        raise AttributeError(f'mmocc.models has no name {name}')
    require(f'mmocc.{name}', 'mmengine')
    return getattr(import_module(f'mmocc.models.{_ROOM_OF[name]}'), name)


def __dir__() -> list[str]:
    """List the classes, imported or not."""
    return sorted({*globals(), *__all__})
