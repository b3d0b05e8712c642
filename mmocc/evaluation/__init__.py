"""Metrics and the occlusion benchmark."""

from mmocc.evaluation.occluded_coco_recall import BoxOccludedSeparatedRecall
from mmocc.evaluation.occlusion_accuracy import OcclusionAccuracy

__all__ = ['BoxOccludedSeparatedRecall', 'OcclusionAccuracy']
