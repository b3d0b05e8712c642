"""Latents and pictures of a frozen MAE, for any mask of patches.

Stage 1 of Latent-OFER (arXiv 2307.11404), which names neither the layer of its
"ViT latents" nor the training. The official classifier reads 512 numbers for
each position, the width of an MAE's decoder. So recognition reads the
decoder's tokens here, and detection the encoder's.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS
from mmocc.utils.config_types import class_name
from mmocc.utils.weights import check_frozen, warn_random

LATENTS = ('normed', 'embedded')


class FrozenPart(BaseModule):
    """A trained network that never changes and is always in eval mode.

    It loads a checkpoint of the network alone, or of a model that holds this
    part; ValueError if it does not fit. It warns once without a checkpoint.

    Args:
        net: The network, or its config.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)``, with ``prefix``
            if the network is a part of what was saved; or set the network's
            own ``init_cfg``.
    """

    inner = 'net'  # the attribute that holds the network
    effect = ''  # what random weights lead to, for the warning

    def __init__(
        self,
        net: dict | nn.Module,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.loaded = isinstance(net, nn.Module)
        net = net if self.loaded else MODELS.build(net)
        self.add_module(self.inner, net)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> 'FrozenPart':
        """Stay in eval mode, whatever the caller asks for."""
        return super().train(False)

    def init_weights(self) -> None:
        """Initialise, or load what a ``Pretrained`` init_cfg names."""
        super().init_weights()
        net = getattr(self, self.inner)
        own = getattr(net, 'init_cfg', None)
        for cfg in own if isinstance(own, list) else [own or {}]:
            kind = class_name(cfg.get('type'))
            self.loaded |= kind in ('Pretrained', 'PretrainedInit')
        if self.init_cfg and not self.loaded:
            raise ValueError(
                f'{self.init_cfg.get("checkpoint")} holds no weights of this '
                f'{type(net).__name__}; name its checkpoint, and in prefix '
                "the part of it that is the network, such as 'backbone.'"
            )

    def _warn_if_random(self) -> None:
        """Warn once if the network was never loaded."""
        if not self.loaded:
            self.loaded = True
            net = getattr(self, self.inner)
            name = f'mmocc.{type(self).__name__}'
            warn_random(name, type(net).__name__, self.effect)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        net = getattr(self, self.inner)
        own, inner = net.state_dict(), f'{prefix}{self.inner}.'
        # A checkpoint of the network alone
        if not any(key.startswith(inner) for key in state_dict):
            for name in own:
                if prefix + name in state_dict:
                    state_dict[inner + name] = state_dict.pop(prefix + name)
        weights = {
            key.removeprefix(inner): value
            for key, value in state_dict.items()
            if key.startswith(inner)
        }
        if weights:
            kind = type(net).__name__
            check_frozen(own, weights, kind, kind)
            self.loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)


class PatchLatents(NamedTuple):
    """What an MAE makes of N images whose hidden patches it does not see.

    Attributes:
        encoder: (N, L, D) tokens of the encoder; zeros at hidden patches.
        decoder: (N, 1 + L, Dd) tokens of the decoder, the class token's
            first; hidden patches have one too.
        coarse: (N, 3, H, W) float32, what the decoder gives everywhere, in
            the normalised space of the images.
    """

    encoder: Tensor
    decoder: Tensor
    coarse: Tensor


@MODELS.register_module()
class PatchLatentExtractor(FrozenPart):
    """A frozen, trained ``mmpretrain.MAE`` that hides the patches you name.

    Images of a batch may hide different numbers of patches. What fills up rows
    with fewer visible patches takes no part in the attention, so that an
    image's result does not depend on the others. If all patches are hidden,
    only the class token is left, and the result is still finite.

    Args:
        mae: Config of an ``MAE`` of MAEViT, MAEPretrainDecoder and
            MAEPretrainHead, or such a module.
        latent: Which tokens ``decoder`` holds: ``normed``, the last ones,
            which pixels are read from; or ``embedded``, the first ones, which
            know only their own patch (or that it is hidden) and position.
        init_cfg: See :class:`FrozenPart`.

    Raises:
        ValueError: If the MAE gives normalised patches, or ``latent`` is
            unknown; while running, if images or masks do not fit the patch
            grid.
    """

    inner = 'mae'
    effect = 'its latents are random'

    def __init__(
        self,
        mae: dict | nn.Module,
        latent: str = 'normed',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(mae, init_cfg)
        if latent not in LATENTS:
            raise ValueError(f'latent={latent!r} is none of {LATENTS}')
        self.latent = latent
        if getattr(self.mae.head, 'norm_pix', False):
            raise ValueError(
                'the MAE has head.norm_pix=True: it gives each patch zero '
                'mean and unit variance, and those of a hidden patch are not '
                'known; train it with norm_pix=False'
            )

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.mae.head.patch_size

    @property
    def encoder_dims(self) -> int:
        """D, the width of the encoder's tokens."""
        return self.mae.backbone.embed_dims

    def grid(self, h: int, w: int) -> tuple[int, int]:
        """Return the (gh, gw) of h x w pixels; ValueError if unknown."""
        trained = tuple(self.mae.backbone.patch_resolution)
        size = tuple(side * self.patch_size for side in trained)
        if (h, w) != size:
            raise ValueError(
                f'an image of {h} x {w} pixels (h x w), but the MAE knows the '
                f'positions of {trained[0]} x {trained[1]} patches of '
                f'{self.patch_size} pixels; resize images to {size[0]} x '
                f"{size[1]}: dict(type='Resize', scale=({size[1]}, {size[0]}))"
            )
        return trained

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the encoder's tokens (N, L, D) with nothing hidden.

        The images (N, 3, H, W) are normalised as in the MAE's training.
        """
        self.grid(*images.shape[-2:])
        return self._encode(images, None)[:, 1:]

    @torch.no_grad()
    def forward(
        self, images: Tensor, mask: Tensor | None = None
    ) -> PatchLatents:
        """Return latents and the coarse picture.

        Args:
            images: (N, 3, H, W), normalised as in the MAE's training.
            mask: (N, L), non-zero where a patch is hidden; None hides nothing.
        """
        grid = self.grid(*images.shape[-2:])
        if mask is not None:
            if mask.shape != (len(images), grid[0] * grid[1]):
                raise ValueError(
                    f'a patch mask of {tuple(mask.shape)} for {len(images)} '
                    f'images of {grid} patches; it must be '
                    f'{(len(images), grid[0] * grid[1])}'
                )
            mask = mask.bool()
        tokens = self._encode(images, mask)
        neck = self.mae.neck
        x = neck.decoder_embed(tokens)
        if mask is not None:
            patches = torch.where(mask[..., None], neck.mask_token, x[:, 1:])
            x = torch.cat([x[:, :1].to(patches), patches], dim=1)
        x = embedded = x + neck.decoder_pos_embed
        for block in neck.decoder_blocks:
            x = block(x)
        x = neck.decoder_norm(x)
        pixels = neck.decoder_pred(x)[:, 1:].float()
        return PatchLatents(
            tokens[:, 1:],
            x if self.latent == 'normed' else embedded,
            self.mae.head.unpatchify(pixels),
        )

    def _encode(self, images: Tensor, mask: Tensor | None) -> Tensor:
        """Return (N, 1 + L, D), the class token's first; zeros if hidden."""
        self._warn_if_random()
        vit = self.mae.backbone
        x = vit.patch_embed(images)[0] + vit.pos_embed[:, 1:]
        number, length, dims = x.shape
        first = (vit.cls_token + vit.pos_embed[:, :1]).expand(number, -1, -1)
        if mask is None:
            x = torch.cat([first, x], dim=1)
            for layer in vit.layers:
                x = layer(x)
            return vit.norm1(x)
        # Visible patches first, in order; the fullest row sets the length.
        longest = int((~mask).sum(dim=1).max())
        order = mask.byte().argsort(dim=1, stable=True)[:, :longest]
        index = order[..., None].expand(-1, -1, dims)
        x = torch.cat([first, x.gather(1, index)], dim=1)
        filling = mask.gather(1, order)
        key = F.pad(~filling, (1, 0), value=True)[:, None, None]
        for layer in vit.layers:
            x = x + _attend(layer.attn, layer.ln1(x), key)
            x = layer.ffn(layer.ln2(x), identity=x)
        x = vit.norm1(x)
        tokens = x.new_zeros(number, length, dims)
        visible = x[:, 1:].masked_fill(filling[..., None], 0)
        return torch.cat([x[:, :1], tokens.scatter(1, index, visible)], dim=1)


def _attend(attention: nn.Module, x: Tensor, key: Tensor) -> Tensor:
    """Return mmpretrain's self-attention in eval mode over x (N, T, D).

    ``key`` broadcasts to (N, heads, T, T): True where a token is attended to.
    """
    qkv = attention.qkv(x).unflatten(2, (3, attention.num_heads, -1))
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=key)
    out = out.transpose(1, 2).flatten(2)
    return attention.gamma1(attention.proj(out))
