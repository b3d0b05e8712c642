"""Classifiers."""

from mmocc.models.classifiers.cam_ensemble import CAMEnsemble
from mmocc.models.classifiers.hiding_data_preprocessor import (
    HidingDataPreprocessor,
)
from mmocc.models.classifiers.latent_ofer import LatentOFER
from mmocc.models.classifiers.learn_classifier import LEARNClassifier
from mmocc.models.classifiers.occlusion_aug_classifier import (
    OcclusionAugClassifier,
)
from mmocc.models.classifiers.ten_crop import TenCropTTA

__all__ = [
    'CAMEnsemble',
    'HidingDataPreprocessor',
    'LEARNClassifier',
    'LatentOFER',
    'OcclusionAugClassifier',
    'TenCropTTA',
]
