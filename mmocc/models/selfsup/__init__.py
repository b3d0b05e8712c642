"""What is learnt without labels: latents of image patches."""

from mmocc.models.selfsup.patch_latent_extractor import (
    PatchLatentExtractor,
    PatchLatents,
)

__all__ = ['PatchLatentExtractor', 'PatchLatents']
