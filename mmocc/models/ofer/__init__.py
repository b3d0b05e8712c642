"""Latent-OFER: facial expressions under occlusion (arXiv 2307.11404).

How a photo (3, H, W) flows through these files, in four stages that are
trained one after the other:

1. ``patch_latent_extractor``: a frozen MAE encodes L patches to latents
   (L, D). ``stage_model`` is the base of the models that use it.
2. ``patch_svdd`` (``svdd``, ``whitening``) or ``mae_error_detector``, both on
   ``patch_detector``: a distance (L,) for each patch; far ones are occluded.
3. ``hybrid_reconstructor`` with ``hybrid_unet`` and ``self_assembly``, or
   ``mae_reconstructor``, both on ``base_reconstructor``: the occluded patches
   are redrawn. ``discriminators``, ``frozen_net`` and the losses train them.
4. ``latent_ofer``: ``stages`` holds stages 1 to 3, frozen (``stage_cache``
   keeps their outputs on disk); a CNN with ``channel_spatial_attention`` sees
   the redrawn face, ``latent_token_selector`` picks latents where the CNN
   looks, ``latent_readout`` fuses them, and ``ofer_head`` gives expressions.
"""

from mmocc.models.ofer.channel_spatial_attention import (
    ChannelSpatialAttention,
)
from mmocc.models.ofer.feature_consistency_loss import FeatureConsistencyLoss
from mmocc.models.ofer.frozen_net import FrozenNet
from mmocc.models.ofer.latent_readout import LatentMLP, LatentProjection
from mmocc.models.ofer.latent_token_selector import LatentTokenSelector
from mmocc.models.ofer.relativistic_gan_loss import RelativisticGANLoss
from mmocc.models.ofer.self_assembly import SelfAssembly, self_assembly
from mmocc.models.ofer.semantic_consistency_loss import (
    SemanticConsistencyLoss,
)
from mmocc.registry import HAS_MMPRETRAIN

__all__ = [
    'ChannelSpatialAttention',
    'FeatureConsistencyLoss',
    'FrozenNet',
    'LatentMLP',
    'LatentProjection',
    'LatentTokenSelector',
    'RelativisticGANLoss',
    'SelfAssembly',
    'SemanticConsistencyLoss',
    'self_assembly',
]

if HAS_MMPRETRAIN:
    from mmocc.models.ofer.base_reconstructor import BaseReconstructor
    from mmocc.models.ofer.discriminators import (
        FeaturePatchDiscriminator,
        PatchDiscriminator,
    )
    from mmocc.models.ofer.hybrid_reconstructor import HybridReconstructor
    from mmocc.models.ofer.hybrid_unet import HybridUNet
    from mmocc.models.ofer.latent_ofer import LatentOFER
    from mmocc.models.ofer.mae_error_detector import MAEErrorDetector
    from mmocc.models.ofer.mae_reconstructor import MAEReconstructor
    from mmocc.models.ofer.ofer_head import OFERHead
    from mmocc.models.ofer.patch_detector import PatchDetection, PatchDetector
    from mmocc.models.ofer.patch_latent_extractor import (
        PatchLatentExtractor,
        PatchLatents,
    )
    from mmocc.models.ofer.patch_svdd import PatchSVDD

    __all__ += [
        'BaseReconstructor',
        'FeaturePatchDiscriminator',
        'HybridReconstructor',
        'HybridUNet',
        'LatentOFER',
        'MAEErrorDetector',
        'MAEReconstructor',
        'OFERHead',
        'PatchDetection',
        'PatchDetector',
        'PatchDiscriminator',
        'PatchLatentExtractor',
        'PatchLatents',
        'PatchSVDD',
    ]
