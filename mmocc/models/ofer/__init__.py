"""Latent-OFER: facial expressions under occlusion (arXiv 2307.11404).

How a photo (3, H, W) flows through these files, in four stages that are
trained one after the other:

1. ``patch_latent_extractor``: a frozen MAE encodes L patches to latents
   (L, D). ``stage_model`` is the base of the models that read them.
2. ``patch_detector`` (the base, and detection by the MAE's error),
   ``patch_svdd`` with the maths of ``svdd``, or ``patch_gaussian``: a
   distance (L,) for each patch; patches beyond a radius are occluded.
3. ``mae_reconstructor`` (the base, and the MAE alone) or
   ``hybrid_reconstructor`` with ``hybrid_unet`` and ``self_assembly``: the
   occluded patches are reconstructed. ``reconstruction_losses`` train them.
4. ``latent_ofer``: ``frozen_stages`` runs stages 1 to 3 and keeps their
   outputs on disk; a CNN sees the reconstructed face, ``latent_readout``
   reads latents where the CNN looks, and ``ofer_head`` gives expressions.

Beyond the paper, ``weakened_features`` stands for stages 3 and 4: features of
a frozen network are weakened where stage 2 finds something, and
``feature_tokens`` holds its maths.
"""

from mmocc.models.ofer.latent_readout import (
    ChannelSpatialAttention,
    LatentMLP,
    LatentProjection,
    LatentTokenSelector,
)
from mmocc.models.ofer.reconstruction_losses import (
    FeatureConsistencyLoss,
    FeaturePatchDiscriminator,
    FrozenNet,
    PatchDiscriminator,
    RelativisticGANLoss,
    SemanticConsistencyLoss,
)
from mmocc.models.ofer.self_assembly import SelfAssembly
from mmocc.utils.hosts import absent, usable

__all__ = [
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
    'PatchGaussian',
    'PatchLatentExtractor',
    'PatchSVDD',
    'RelativisticGANLoss',
    'SelfAssembly',
    'SemanticConsistencyLoss',
    'WeakenedFeatureClassifier',
]

if usable('mmpretrain.models'):
    from mmocc.models.ofer.hybrid_reconstructor import HybridReconstructor
    from mmocc.models.ofer.hybrid_unet import HybridUNet
    from mmocc.models.ofer.latent_ofer import LatentOFER
    from mmocc.models.ofer.mae_reconstructor import MAEReconstructor
    from mmocc.models.ofer.ofer_head import OFERHead
    from mmocc.models.ofer.patch_detector import MAEErrorDetector
    from mmocc.models.ofer.patch_gaussian import PatchGaussian
    from mmocc.models.ofer.patch_latent_extractor import PatchLatentExtractor
    from mmocc.models.ofer.patch_svdd import PatchSVDD
    from mmocc.models.ofer.weakened_features import WeakenedFeatureClassifier

__getattr__ = absent(__name__, {'mmpretrain.models': __all__})
