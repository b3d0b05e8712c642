"""What trains ``mmocc.HybridReconstructor``: losses, critics, frozen nets.

Latent-OFER (arXiv 2307.11404, section 3.2) describes neither its two
discriminators nor their losses. Here they are those of its released code: a 70
x 70 PatchGAN (arXiv 1611.07004), and a discriminator of features (Park et al.,
SRFeat, ECCV 2018), in the relativistic average least-squares form (arXiv
1807.00734).
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.models.ofer.patch_latent_extractor import FrozenPart
from mmocc.registry import MODELS

INIT = dict(type='Normal', layer='Conv2d', std=0.02)  # GANs since DCGAN


def hole_mse(pred: Tensor, target: Tensor, hole: Tensor) -> Tensor:
    """Return the mean squared difference over hidden positions, a scalar.

    Args:
        pred: (N, C, h, w).
        target: The same shape.
        hole: (N, 1, h, w), True is hidden; without any, 0 with gradient.
    """
    hole = hole.to(pred.dtype)
    total = ((pred - target).square() * hole).sum()
    return total / (hole.sum() * pred.shape[1]).clamp_min(1)


@MODELS.register_module()
class FeatureConsistencyLoss(nn.Module):
    """Sum over maps of :func:`hole_mse`, with gradient to each map.

    The features in the hole must be those of a trained network: L_c, for
    which Latent-OFER cites Liu et al. (arXiv 1905.12384). The released code
    copies the maps' values first, so that they get no gradient, and leaves
    the target unmasked; this class does neither. It adds the two terms, as the
    release does.

    Args:
        loss_weight: The paper's lambda_c.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, maps: list[Tensor], target: Tensor, hole: Tensor
    ) -> Tensor:
        """Return the weighted loss, a scalar in float32.

        Args:
            maps: Each (N, C, h, w).
            target: (N, C, h, w), of the true picture; a constant. ValueError
                if its shape is not that of each map.
            hole: (N, 1, h, w), True is hidden.
        """
        for pred in maps:
            if pred.shape != target.shape:
                raise ValueError(
                    f'a map {tuple(pred.shape)} is compared with features '
                    f'{tuple(target.shape)}: choose a layer of the '
                    "features' network with the channels and the stride of "
                    "the U-Net's self-assembly, or loss_consistency=None"
                )
        with torch.autocast(target.device.type, enabled=False):
            target = target.detach().float()
            losses = [hole_mse(pred.float(), target, hole) for pred in maps]
            return self.loss_weight * torch.stack(losses).sum()


def relativistic_lsgan(higher: Tensor, lower: Tensor) -> Tensor:
    """Return how far scores are from differing by 1 on average, a scalar.

    1/2 mean (a - mean b - 1)^2 + 1/2 mean (b - mean a + 1)^2 for the higher
    scores a and the lower b, of any shape, without a sigmoid; the
    discriminator wants the real ones higher, the generator the others.
    """
    above = (higher - lower.mean() - 1).square().mean()
    below = (lower - higher.mean() + 1).square().mean()
    return (above + below) / 2


@MODELS.register_module()
class RelativisticGANLoss(nn.Module):
    """Both sides of :func:`relativistic_lsgan`.

    Args:
        loss_weight: Factor of the generator's loss only; the paper's lambda_d.
    """

    def __init__(self, loss_weight: float = 0.002) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, real: Tensor, fake: Tensor, for_generator: bool
    ) -> Tensor:
        """Return the loss of scores of any shape, a scalar in float32.

        For the generator, real scores are constants.
        """
        with torch.autocast(fake.device.type, enabled=False):
            real, fake = real.float(), fake.float()
            if for_generator:
                loss = relativistic_lsgan(fake, real.detach())
                return self.loss_weight * loss
            return relativistic_lsgan(real, fake)


@MODELS.register_module()
class SemanticConsistencyLoss(nn.Module):
    """Cross-entropy between the expressions of true and reconstructed faces.

    Eq. 4 of Latent-OFER, with the minus sign that it lacks: - sum over classes
    c of p_c(true) log p_c(reconstructed), p being the softmax of a frozen
    expression network. The released code takes the label instead of p(true), a
    sigmoid before the softmax, and passes no gradient on.

    Args:
        loss_weight: The paper's lambda_sc.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the weighted mean over faces, a scalar in float32.

        Args:
            logits: (N, classes) of reconstructed faces.
            target: (N, classes) of the true ones; constants.
        """
        with torch.autocast(logits.device.type, enabled=False):
            share = target.detach().float().softmax(1)
            return self.loss_weight * F.cross_entropy(logits.float(), share)


@MODELS.register_module()
class PatchDiscriminator(BaseModule):
    """Score overlapping patches of pictures.

    With the defaults 2,766,529 parameters and a field of 70 x 70 pixels::

        (N, 3, H, W) -> 64 -> 128 -> 256, each of stride 2 -> 512 -> 1

    Args:
        in_channels: Channels of the pictures.
        channels: Channels after the first convolution; each next one doubles
            them, up to eight times as many.
        strided: Number of convolutions of stride 2.
        init_cfg: As in mmengine's BaseModule.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: int = 64,
        strided: int = 3,
        init_cfg: dict | list[dict] | None = INIT,
    ) -> None:
        super().__init__(init_cfg)
        layers = [nn.Conv2d(in_channels, channels, 4, 2, 1)]
        below = channels
        for number in range(1, strided + 1):
            above = channels * min(2**number, 8)
            stride = 2 if number < strided else 1
            layers += [
                nn.LeakyReLU(0.2),
                nn.Conv2d(below, above, 4, stride, 1),
                nn.InstanceNorm2d(above, affine=True),
            ]
            below = above
        last = nn.Conv2d(below, 1, 4, 1, 1)
        self.layers = nn.Sequential(*layers, nn.LeakyReLU(0.2), last)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N, 1, h, w), without a sigmoid."""
        return self.layers(images)


@MODELS.register_module()
class FeaturePatchDiscriminator(BaseModule):
    """Score patches of a trained network's feature maps.

    With the defaults 10,487,296 parameters, for relu3_3 of VGG-16; three
    convolutions of stride 2.

    Args:
        in_channels: Channels of the features.
        channels: Channels of each convolution.
        init_cfg: As in mmengine's BaseModule.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 512,
        init_cfg: dict | list[dict] | None = INIT,
    ) -> None:
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 4, 2, 1),
            nn.InstanceNorm2d(channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 4, 2, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return scores (N, channels, h, w), without a sigmoid."""
        return self.layers(features)


@MODELS.register_module()
class FrozenNet(FrozenPart):
    """Outputs of a frozen network, with gradient to the pictures.

    Args:
        net: Config of a network, called on images: a classifier gives logits.
        layers: For each name that the caller uses, the layer of the network
            that it stands for; None for the network's own output. ValueError
            if there is no such layer.
        init_cfg: See :class:`FrozenPart`.
    """

    effect = 'it compares random features'

    def __init__(
        self,
        net: dict | nn.Module,
        layers: dict[str, str] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(net, init_cfg)
        self.layers = dict(layers) if layers else None
        known = dict(self.net.named_modules())
        for layer in (self.layers or {}).values():
            if layer not in known:
                raise ValueError(
                    f'{type(self.net).__name__} has no layer {layer!r}; it '
                    f'has {", ".join(name for name in known if name)}'
                )

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """Return the output for (N, 3, H, W), or layers by name."""
        self._warn_if_random()
        if self.layers is None:
            return self.net(images)
        outputs, handles = {}, []
        for name, layer in self.layers.items():

            def keep(module: nn.Module, args: tuple, out: Tensor, n=name):  # noqa: ANN001, ANN202
                outputs[n] = out

            hook = self.net.get_submodule(layer).register_forward_hook(keep)
            handles.append(hook)
        try:
            self.net(images)
        finally:
            for handle in handles:
                handle.remove()
        return outputs
