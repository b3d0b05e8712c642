"""Metrics and the occlusion benchmark."""

from mmocc.evaluation.occlusion_accuracy import OcclusionAccuracy

__all__ = ['OcclusionAccuracy']
