"""Latent-OFER's reconstruction of hidden patches: an MAE, then a U-Net.

arXiv 2307.11404, section 3.2. With x a clean picture, M a random mask of
patches, m the MAE and U the U-Net with self-assembly, training does this:

    coarse = m(x, M)                                          no gradient
    y = U(coarse in M and x elsewhere, x with nothing in M)

    L = loss_rec + loss_consistency + loss_semantic + loss_gan + loss_gan_feat

with the weights 1, 0.01, 1, 0.002 and 0.002. loss_rec compares y and x (in L1,
as the released code; the paper names no norm), loss_consistency U's features
in the hole with those of a trained network, loss_semantic the expressions
recognised in y and x; the last two belong to a patch and a feature patch
discriminator.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.ofer.hybrid_unet import Reconstruction
from mmocc.models.ofer.mae_reconstructor import BaseReconstructor
from mmocc.occlusion.patches import draw_patch_masks, upsample_patch_mask
from mmocc.registry import MODELS
from mmocc.utils.weights import warn_random

CRITICS = ('discriminator', 'feature_discriminator')
# What each loss cannot be computed without.
NEEDS = dict(
    loss_consistency='features',
    loss_semantic='expression',
    loss_gan='discriminator',
    feature_discriminator='features',
)


class MaskedBatch(NamedTuple):
    """A batch with hidden patches in training: pictures (N, 3, h, w).

    Attributes:
        images: As they came.
        target: At the size that the U-Net works at.
        output: What the U-Net makes of them.
    """

    images: Tensor
    target: Tensor
    output: Reconstruction


@MODELS.register_module()
class HybridReconstructor(BaseReconstructor):
    """MAE, then a U-Net with self-assembly, trained against discriminators.

    With discriminators it needs an optimizer for each part::

        optim_wrapper = dict(
            constructor='mmocc.MultiOptimWrapperConstructor',
            parts=dict(unet=..., discriminator=...,
                       feature_discriminator=...))

    and on several devices mmengine's ``model_wrapper_cfg =
    dict(type='MMSeparateDistributedDataParallel')``. Prediction needs only
    ``unet`` and ``extractor``.

    Args:
        unet: Config of ``mmocc.HybridUNet``.
        size: Side in pixels that the U-Net works at; pictures are resized to
            it and back. None: the pictures' own.
        mask: Options of :func:`draw_patch_masks` for training: ``share``,
            ``roughness``.
        discriminator: Config of ``mmocc.PatchDiscriminator``.
        feature_discriminator: Config of ``mmocc.FeaturePatchDiscriminator``.
        features: Config of ``mmocc.FrozenNet`` with the layers
            ``consistency``, of the channels and size of the self-assembled
            features, and ``discriminator``, the input of the feature
            discriminator; only those in use.
        expression: Config of ``mmocc.FrozenNet`` that gives logits.
        loss_rec: Loss of pictures, called as ``loss(pred, target)``.
        loss_consistency: ``mmocc.FeatureConsistencyLoss``; None leaves it
            out, as with the next ones.
        loss_semantic: ``mmocc.SemanticConsistencyLoss``.
        loss_gan: ``mmocc.RelativisticGANLoss``, of both discriminators.
        **kwargs: Of :class:`BaseReconstructor`.

    Raises:
        ValueError: If a loss or part needs another that is None; in training,
            if a part has no optimizer.
    """

    def __init__(
        self,
        unet: dict,
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
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
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

    def fill(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return the U-Net's pictures (N, 3, H, W)."""
        recon = self.run_unet(self.resize(images), hole, coarse).recon
        return self.resize(recon.float(), tuple(images.shape[-2:]))

    def run_unet(
        self, images: Tensor, hole: Tensor, coarse: Tensor
    ) -> Reconstruction:
        """Return all outputs of the U-Net, at the size of the images."""
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
        options = dict(mode='bilinear', align_corners=False, antialias=True)
        return F.interpolate(images.float(), size, **options)

    def train_step(
        self,
        data: dict | tuple | list,
        optim_wrapper: OptimWrapper | OptimWrapperDict,
    ) -> dict[str, Tensor]:
        """Train the discriminators, then the U-Net; return scalars to log.

        Args:
            data: Batch of the dataloader, of clean pictures.
            optim_wrapper: One for each part that is trained: ``unet``, and the
                discriminators; without these a plain one works too.
        """
        critics = self._critics()
        if not isinstance(optim_wrapper, OptimWrapperDict):
            if critics:
                raise ValueError(
                    f'{" and ".join(critics)} must have an optimizer of their '
                    'own: optim_wrapper=dict(constructor='
                    "'mmocc.MultiOptimWrapperConstructor', parts=dict("
                    'unet=..., discriminator=...))'
                )
            return super().train_step(data, optim_wrapper)
        own = optim_wrapper['unet']
        inputs = self.data_preprocessor(data, True)['inputs']
        with own.optim_context(self.unet):
            batch, real, fake = self._views(inputs)
        log = {}
        for name in critics:
            critic = getattr(self, name)
            with optim_wrapper[name].optim_context(critic):
                pair = [x[name].detach().float() for x in (real, fake)]
                # In one pass: DistributedDataParallel allows one forward
                # before each backward.
                scores = critic(torch.cat(pair)).chunk(2)
                loss = self.losses['loss_gan'](*scores, for_generator=False)
            optim_wrapper[name].update_params(loss)
            log[f'{name}_loss'] = loss.detach()
        with own.optim_context(self.unet):
            losses = self._losses(batch, real, fake)
        total, parsed = self.parse_losses(losses)
        own.update_params(total)
        return parsed | log

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return the U-Net's losses on clean pictures, with random masks.

        Scalars ``loss_rec``, ``loss_consistency``, ``loss_semantic``,
        ``loss_gan`` and ``loss_gan_feat``, without those left out. Samples are
        not read.
        """
        return self._losses(*self._views(inputs))

    def _critics(self) -> list[str]:
        """Return the names of the discriminators that are trained."""
        used = 'loss_gan' in self.losses
        return [n for n in CRITICS if used and getattr(self, n) is not None]

    def _views(self, images: Tensor) -> tuple[MaskedBatch, dict, dict]:
        """Hide random patches; return the batch, and real and fake views."""
        size = tuple(images.shape[-2:])
        grid = self.extractor.grid(*size)
        mask = draw_patch_masks(
            len(images), grid, device=images.device, **self.mask
        )
        coarse = self.encode(images, mask).coarse
        hole = upsample_patch_mask(mask, grid, size)
        target = self.resize(images)
        output = self.run_unet(target, hole, coarse)
        return (
            MaskedBatch(images, target, output),
            self._features(target, grad=False),
            self._features(output.recon, grad=True),
        )

    def _features(self, pictures: Tensor, grad: bool) -> dict[str, Any]:
        """Return the pictures, and the frozen network's maps of them."""
        views = dict(discriminator=pictures)
        if self.features is not None:
            with torch.set_grad_enabled(grad):
                maps = self.features(pictures)
            views['feature_discriminator'] = maps.get('discriminator')
            views['consistency'] = maps.get('consistency')
        return views

    def _losses(self, batch: MaskedBatch, real: dict, fake: dict) -> dict:
        """Return the U-Net's losses."""
        output, losses = batch.output, {}
        terms = dict(loss_rec=(output.recon, batch.target))
        if 'loss_consistency' in self.losses:
            maps = [output.assembled, output.decoded]
            terms['loss_consistency'] = maps, real['consistency'], output.hole
        if 'loss_semantic' in self.losses:
            with torch.no_grad():
                true = self.expression(batch.images)
            size = tuple(batch.images.shape[-2:])
            recon = self.resize(output.recon, size)
            terms['loss_semantic'] = self.expression(recon), true
        for name, args in terms.items():
            losses[name] = self.losses[name](*args)
        for name in self._critics():
            critic = getattr(self, name)
            critic = getattr(critic, 'module', critic)  # not through DDP
            critic.requires_grad_(False)
            scores = critic(real[name]), critic(fake[name])
            critic.requires_grad_(True)
            key = 'loss_gan' if name == 'discriminator' else 'loss_gan_feat'
            losses[key] = self.losses['loss_gan'](*scores, for_generator=True)
        return losses

    def _warn_if_random(self) -> None:
        """Warn once that the U-Net was never trained."""
        if not (self.training or self.unet_loaded):
            warn_random(
                'mmocc.HybridReconstructor',
                'its U-Net',
                'its reconstruction is random',
            )
        self.unet_loaded = True

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        if any(key.startswith(f'{prefix}unet.') for key in state_dict):
            self.unet_loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)
