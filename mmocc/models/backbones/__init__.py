"""Backbones with weights that come with a package: no download is needed.

``efficientnet_lite`` is a network, ``packaged_weights`` fills it by the
``init_cfg`` of a config.
"""

from mmocc.models.backbones.efficientnet_lite import EfficientNetLite
from mmocc.models.backbones.packaged_weights import PackagedWeights

__all__ = ['EfficientNetLite', 'PackagedWeights']
