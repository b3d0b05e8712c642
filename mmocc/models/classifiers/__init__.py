"""Classifiers."""

from mmocc.models.classifiers.learn_classifier import LEARNClassifier
from mmocc.models.classifiers.occlusion_aug_classifier import (
    OcclusionAugClassifier,
)

__all__ = ['LEARNClassifier', 'OcclusionAugClassifier']
