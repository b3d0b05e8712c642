"""Models that redraw what is hidden."""

from mmocc.models.reconstructors.base_reconstructor import BaseReconstructor
from mmocc.models.reconstructors.discriminators import (
    FeaturePatchDiscriminator,
    PatchDiscriminator,
)
from mmocc.models.reconstructors.hybrid_reconstructor import (
    HybridReconstructor,
)
from mmocc.models.reconstructors.hybrid_unet import HybridUNet
from mmocc.models.reconstructors.mae_reconstructor import MAEReconstructor

__all__ = [
    'BaseReconstructor',
    'FeaturePatchDiscriminator',
    'HybridReconstructor',
    'HybridUNet',
    'MAEReconstructor',
    'PatchDiscriminator',
]
