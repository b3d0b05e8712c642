"""How Latent-OFER's redrawing is trained.

arXiv 2307.11404, section 3.2. With x a clean picture, M a mask of patches, m
the MAE and U the U-Net with self-assembly:

    coarse = m(x, M)                                          no gradient
    y = U(coarse in M and x elsewhere, x with nothing in M)

    L = loss_rec + loss_consistency + loss_semantic + loss_gan + loss_gan_feat

with the weights 1, 0.01, 1, 0.002 and 0.002. loss_rec compares y and x (in L1,
as the released code; the paper names no norm), loss_consistency U's features
in the hole and those of a trained network, loss_semantic the expressions
recognised in y and x; the last two are a patch and a feature patch
discriminator's. How masks are drawn is not stated: random blobs, here.
"""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.ofer.base_reconstructor import BaseReconstructor
from mmocc.models.ofer.hybrid_unet import Redrawing
from mmocc.occlusion.patch_masks import draw_patch_masks
from mmocc.occlusion.patches import upsample_patch_mask

CRITICS = ('discriminator', 'feature_discriminator')


class Trial(NamedTuple):
    """A batch that is redrawn in training: pictures (N, 3, h, w) and more.

    Attributes:
        images: As they came.
        target: At the size that the U-Net works at.
        drawn: What the U-Net makes of them.
    """

    images: Tensor
    target: Tensor
    drawn: Redrawing


class HybridTraining(BaseReconstructor):
    """Losses and steps of :class:`HybridReconstructor`, which has the parts.

    Those are ``unet``, the discriminators, the frozen ``features`` and
    ``expression``, ``losses`` by their names, and the options of ``mask``.
    """

    @abstractmethod
    def draw(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Redrawing:
        """Return all that the U-Net gives."""

    @abstractmethod
    def resize(
        self, images: Tensor, size: tuple[int, int] | None = None
    ) -> Tensor:
        """Return images at a size (h, w), by default the U-Net's."""

    def train_step(
        self,
        data: dict | tuple | list,
        optim_wrapper: OptimWrapper | OptimWrapperDict,
    ) -> dict[str, Tensor]:
        """Train the discriminators, then the U-Net, on one batch.

        Args:
            data: Batch of the dataloader, of clean pictures.
            optim_wrapper: One for each part that is trained: ``unet``, and
                the discriminators. Without discriminators a plain one will
                do.

        Returns:
            Scalars for the log.
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
            trial = self.try_masks(inputs)
            real = self._seen(trial.target, grad=False)
            fake = self._seen(trial.drawn.recon, grad=True)
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
            losses = self._losses(trial, real, fake)
        total, parsed = self.parse_losses(losses)
        own.update_params(total)
        return parsed | log

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return the U-Net's losses on clean pictures, with random masks.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: Not looked at.

        Returns:
            Scalars ``loss_rec``, ``loss_consistency``, ``loss_semantic``,
            ``loss_gan`` and ``loss_gan_feat``, less those left out.
        """
        trial = self.try_masks(inputs)
        real = self._seen(trial.target, grad=False)
        fake = self._seen(trial.drawn.recon, grad=True)
        return self._losses(trial, real, fake)

    def try_masks(self, images: Tensor) -> Trial:
        """Hide random patches of clean images, and redraw them."""
        size = tuple(images.shape[-2:])
        grid = self.extractor.grid(*size)
        mask = draw_patch_masks(
            len(images), grid, device=images.device, **self.mask
        )
        coarse = self.encode(images, mask).coarse
        hole = upsample_patch_mask(mask, grid, size)
        target = self.resize(images)
        return Trial(images, target, self.draw(target, hole, coarse))

    def _critics(self) -> list[str]:
        """Return the names of the discriminators that are trained."""
        used = 'loss_gan' in self.losses
        return [n for n in CRITICS if used and getattr(self, n) is not None]

    def _seen(self, pictures: Tensor, grad: bool) -> dict[str, Any]:
        """Return what each of the other networks is shown of pictures."""
        seen = dict(discriminator=pictures)
        if self.features is not None:
            with torch.set_grad_enabled(grad):
                maps = self.features(pictures)
            seen['feature_discriminator'] = maps.get('discriminator')
            seen['consistency'] = maps.get('consistency')
        return seen

    def _losses(self, trial: Trial, real: dict, fake: dict) -> dict:
        """Return the U-Net's losses."""
        drawn, losses = trial.drawn, {}
        terms = dict(loss_rec=(drawn.recon, trial.target))
        if 'loss_consistency' in self.losses:
            maps = [drawn.assembled, drawn.decoded]
            terms['loss_consistency'] = (maps, real['consistency'], drawn.hole)
        if 'loss_semantic' in self.losses:
            terms['loss_semantic'] = self._expressions(trial)
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

    def _expressions(self, trial: Trial) -> tuple[Tensor, Tensor]:
        """Return the logits (N, classes) of redrawn and of true faces."""
        size = tuple(trial.images.shape[-2:])
        with torch.no_grad():
            true = self.expression(trial.images)
        return self.expression(self.resize(trial.drawn.recon, size)), true
