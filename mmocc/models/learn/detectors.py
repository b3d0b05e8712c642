"""LEARN in detectors: what needs mmdet, registered by importing this file.

``mmocc.models.learn`` does not import it, so that LEARN for classifiers works
and starts without mmdet; the registry does.
"""

from mmocc.utils.hosts import absent, usable

__all__ = ['LEARNDetector', 'OcclusionAugDetector']

if usable('mmdet.models'):
    from mmocc.models.learn.learn_detector import LEARNDetector
    from mmocc.models.learn.twin_detector import OcclusionAugDetector

__getattr__ = absent(__name__, {'mmdet.models': __all__})
