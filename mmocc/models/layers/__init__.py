"""Layers that any model may use."""

from mmocc.models.layers.batch_hide_and_seek import BatchHideAndSeek
from mmocc.models.layers.batch_hide_segments import BatchHideSegments
from mmocc.models.layers.batch_occluder import BatchOccluder
from mmocc.models.layers.channel_spatial_attention import (
    ChannelSpatialAttention,
)
from mmocc.models.layers.frozen_net import FrozenNet
from mmocc.models.layers.hide_features import HideFeatures
from mmocc.models.layers.latent_readout import LatentMLP, LatentProjection
from mmocc.models.layers.latent_token_selector import LatentTokenSelector
from mmocc.models.layers.self_assembly import (
    SelfAssembly,
    self_assembly,
)

__all__ = [
    'BatchHideAndSeek',
    'BatchHideSegments',
    'BatchOccluder',
    'ChannelSpatialAttention',
    'FrozenNet',
    'HideFeatures',
    'LatentMLP',
    'LatentProjection',
    'LatentTokenSelector',
    'SelfAssembly',
    'self_assembly',
]
