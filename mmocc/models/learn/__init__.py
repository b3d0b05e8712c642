"""LEARN: repair the features of occluded images (arXiv 2402.06936).

How a batch flows through these files while LEARN is trained:

1. ``batch_occluder``: normalised images (N, 3, H, W) get an occluded twin, by
   the numbers of ``occluder_draws``.
2. ``learn_classifier``: the frozen backbone turns both into maps
   (N, C, h, w); ``clean_cache`` stores on disk those that do not change.
3. ``learn``: the neck encodes the maps to latents (N, 32, h, w) and decodes
   them to repaired maps of the input's shape.
4. ``feature_losses``: repaired maps are compared with clean ones, latents
   with those of their class; the frozen head adds the classification loss.

``vgg_cls_head`` holds VGG's FC layers, which come after LEARN.
``occlusion_aug_classifier`` is the control: fine-tuning on the same images.
``frozen_backbone_classifier`` trains a head alone, on clean images or on both.

Detectors, apart because they need mmdet (``detectors`` imports them):
``batch_object_occluder`` hides a share of each object, ``twin_detector`` is a
detector that trains on both (the control), ``learn_detector`` a frozen one
with LEARN between its neck and its heads.
"""

from importlib import import_module
from typing import Any

from mmocc.models.learn.batch_object_occluder import BatchObjectOccluder
from mmocc.models.learn.batch_occluder import BatchOccluder
from mmocc.models.learn.distillation import DistillationLoss
from mmocc.models.learn.feature_losses import (
    FeatureReconstructionLoss,
    InterClassLatentLoss,
    IntraClassLatentLoss,
)
from mmocc.models.learn.learn import LEARN
from mmocc.utils.hosts import absent, usable

__all__ = [
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
]

if usable('mmpretrain.models'):
    from mmocc.models.learn.frozen_backbone_classifier import (
        FrozenBackboneClassifier,
    )
    from mmocc.models.learn.learn_classifier import LEARNClassifier
    from mmocc.models.learn.occlusion_aug_classifier import (
        OcclusionAugClassifier,
    )
    from mmocc.models.learn.vgg_cls_head import VGGClsHead

_absent = absent(__name__, {'mmpretrain.models': __all__})


def __getattr__(name: str) -> Any:
    """Import mmdet's part at first use: classifiers never need it."""
    if name in ('LEARNDetector', 'OcclusionAugDetector'):
        return getattr(import_module('mmocc.models.learn.detectors'), name)
    return _absent(name)
