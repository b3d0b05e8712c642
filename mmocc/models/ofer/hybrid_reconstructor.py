"""Latent-OFER's redrawing of hidden patches: MAE, then U-Net.

arXiv 2307.11404, section 3.2; how it is trained is in
:mod:`mmocc.models.ofer.hybrid_training`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmocc.models.ofer.hybrid_training import HybridTraining
from mmocc.models.ofer.hybrid_unet import Redrawing
from mmocc.occlusion.patch_masks import draw_patch_masks
from mmocc.registry import MODELS
from mmocc.utils.weights import warn_random

# What each loss cannot be computed without.
NEEDS = dict(
    loss_consistency='features',
    loss_semantic='expression',
    loss_gan='discriminator',
    feature_discriminator='features',
)


@MODELS.register_module()
class HybridReconstructor(HybridTraining):
    """MAE, then a U-Net with self-assembly, trained against discriminators.

    With discriminators it needs an optimizer for each part::

        optim_wrapper = dict(
            constructor='mmocc.MultiOptimWrapperConstructor',
            parts=dict(unet=..., discriminator=...,
                       feature_discriminator=...))

    and on several devices mmengine's ``model_wrapper_cfg =
    dict(type='MMSeparateDistributedDataParallel')``. To redraw, ``unet`` and
    ``extractor`` are enough.

    Args:
        unet: Config of ``mmocc.HybridUNet``.
        extractor: ``mmocc.PatchLatentExtractor``, or its config; None if a
            model around it shares its own.
        size: Side in pixels that the U-Net works at; pictures are resized to
            it and back. None: the pictures' own.
        mask: Options of :func:`draw_patch_masks` for training: ``share``,
            ``roughness``.
        discriminator: Config of ``mmocc.PatchDiscriminator``.
        feature_discriminator: Config of ``mmocc.FeaturePatchDiscriminator``.
        features: Config of ``mmocc.FrozenNet`` with the layers
            ``consistency``, of the self-assembled features' channels and
            size, and ``discriminator``, of the feature discriminator's; as
            far as they are used.
        expression: Config of ``mmocc.FrozenNet`` that gives logits.
        loss_rec: Loss of pictures, called as ``loss(pred, target)``.
        loss_consistency: ``mmocc.FeatureConsistencyLoss``; None leaves it
            out, as with those that follow.
        loss_semantic: ``mmocc.SemanticConsistencyLoss``.
        loss_gan: ``mmocc.RelativisticGANLoss``, of both discriminators.
        coverage_threshold: As in :class:`BaseReconstructor`.
        data_preprocessor: As in any model: the MAE's normalisation.
        init_cfg: As in any model.

    Raises:
        ValueError: If a loss or part needs another that is None; in training,
            if the optimizer is not one for each part.
    """

    def __init__(
        self,
        unet: dict,
        extractor: dict | nn.Module | None = None,
        size: int | None = None,
        mask: dict = dict(share=(0.1, 0.5), roughness=0.5),
        discriminator: dict | None = None,
        feature_discriminator: dict | None = None,
        features: dict | None = None,
        expression: dict | None = None,
        loss_rec: dict = dict(
            type='mmocc.FeatureReconstructionLoss', distance='l1'
        ),
        loss_consistency: dict | None = None,
        loss_semantic: dict | None = None,
        loss_gan: dict | None = None,
        coverage_threshold: float = 0.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            extractor, coverage_threshold, data_preprocessor, init_cfg
        )
        parts = dict(
            unet=unet,
            discriminator=discriminator,
            feature_discriminator=feature_discriminator,
            features=features,
            expression=expression,
        )
        losses = dict(
            loss_rec=loss_rec,
            loss_consistency=loss_consistency,
            loss_semantic=loss_semantic,
            loss_gan=loss_gan,
        )
        for name, needed in NEEDS.items():
            used = (parts | losses)[name] is not None
            if used and parts[needed] is None:
                raise ValueError(
                    f'{name} needs {needed}, which is None: give it, or set '
                    f'{name}=None'
                )
        for name, cfg in parts.items():
            setattr(self, name, cfg and MODELS.build(cfg))
        self.losses = nn.ModuleDict(
            {k: MODELS.build(cfg) for k, cfg in losses.items() if cfg}
        )
        self.size = size
        self.mask = dict(mask)
        draw_patch_masks(0, (1, 1), **self.mask)  # refuses wrong options
        self.unet_loaded = False

    def redraw(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return the U-Net's pictures (N, 3, H, W), known pixels as well.

        Args:
            images: (N, 3, H, W), normalised.
            hole: (N, 1, H, W) bool, True is hidden.
            coarse: (N, 3, H, W), the MAE's picture.
        """
        recon = self.draw(self.resize(images), hole, coarse).recon
        return self.resize(recon.float(), tuple(images.shape[-2:]))

    def draw(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Redrawing:
        """Return all that the U-Net gives, at its own size."""
        self._warn_if_random()
        size = tuple(images.shape[-2:])
        if hole.shape[-2:] != size:
            hole = F.interpolate(hole.float(), size, mode='nearest') > 0.5
        coarse = self.resize(coarse).to(images.dtype)
        # In the normalised space 0 is the data set's mean colour.
        filled = torch.where(hole, coarse, images)
        return self.unet(filled, images.masked_fill(hole, 0), hole)

    def resize(
        self, images: Tensor, size: tuple[int, int] | None = None
    ) -> Tensor:
        """Return images at a size (h, w), by default the U-Net's."""
        size = size or (self.size and (self.size, self.size))
        if size in (None, tuple(images.shape[-2:])):
            return images
        return F.interpolate(
            images.float(),
            size,
            mode='bilinear',
            align_corners=False,
            antialias=True,
        )

    def _warn_if_random(self) -> None:
        """Say once that the U-Net was never trained."""
        if not (self.training or self.unet_loaded):
            warn_random(
                'mmocc.HybridReconstructor',
                'its U-Net',
                'it redraws at random',
            )
        self.unet_loaded = True

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        if any(key.startswith(f'{prefix}unet.') for key in state_dict):
            self.unet_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)
