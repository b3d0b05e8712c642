"""The models, a folder for each method.

``from mmocc.models import LEARN`` imports the folder that holds the name, and
only that one: classification needs no mmdet, detection no mmpretrain.
"""

from importlib import import_module
from typing import Any

_ROOMS = {
    'learn': (
        'LEARN',
        'BatchOccluder',
        'FeatureReconstructionLoss',
        'InterClassLatentLoss',
        'IntraClassLatentLoss',
        'LEARNClassifier',
        'OcclusionAugClassifier',
        'VGGClsHead',
    ),
    'hide_and_seek': (
        'VGGGAP',
        'AlexNetGAP',
        'BatchHideAndSeek',
        'BatchHideSegments',
        'CAMEnsemble',
        'CAMHead',
        'GoogLeNetGAP',
        'HideFeatures',
        'HidingDataPreprocessor',
        'TemporalConvNet',
        'TenCropTTA',
    ),
    'dea': (
        'DEA',
        'ConvDecoder',
        'DIoULoss',
        'EIoULoss',
        'FCDecoder',
        'FocalEIoULoss',
        'GIoULoss',
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
        'PatchLatentExtractor',
        'PatchSVDD',
        'RelativisticGANLoss',
        'SelfAssembly',
        'SemanticConsistencyLoss',
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = list(_ROOM_OF)


def __getattr__(name: str) -> Any:
    """Import the folder that holds a class, and return the class."""
    if name not in _ROOM_OF:
        raise AttributeError(f'mmocc.models has no name {name}')
    room = import_module(f'mmocc.models.{_ROOM_OF[name]}')
    if not hasattr(room, name):
        host = 'mmdet' if _ROOM_OF[name] == 'dea' else 'mmpretrain'
        raise ImportError(f'mmocc.models.{name} needs {host}: install it')
    return getattr(room, name)


def __dir__() -> list[str]:
    """List the classes, imported or not."""
    return sorted({*globals(), *__all__})
