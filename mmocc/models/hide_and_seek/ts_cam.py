"""TS-CAM: class maps of patch tokens, times the attention to the patches."""

import math
from collections.abc import Sequence

import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn
from torch.nn import functional as F

from mmocc.models.hide_and_seek.cam_head import (
    MAPS,
    PredictsMaps,
    check_labels,
    check_maps,
)
from mmocc.registry import MODELS


def class_attention(qkv: Tensor, num_heads: int) -> Tensor:
    """Return how much the first token attends to each, mean over the heads.

    Args:
        qkv: (N, L, 3 C), queries, keys and values of L tokens, each split
            into heads, as a layer's projection gives them.
        num_heads: Number of heads.

    Returns:
        (N, L) float32; each row adds up to 1.
    """
    query, key, _ = qkv.float().unflatten(2, (3, num_heads, -1)).unbind(2)
    scores = torch.einsum('nhc,nlhc->nhl', query[:, 0], key)
    return (scores / math.sqrt(key.shape[-1])).softmax(dim=2).mean(dim=1)


@MODELS.register_module()
class TSCAMViT(VisionTransformer):
    """mmpretrain's ViT or DeiT, with the class token's attention as a map.

    In evaluation, a map (N, 1, h, w) comes before the patch tokens' map
    (N, C, h, w): the attention of the class token to each patch, averaged
    over heads and layers. It is computed beside the layers, so that these
    keep their fast attention; of L x L weights, only the class token's L are
    needed. In training, the patch tokens' map comes alone.

    Args:
        *args: As in ``mmpretrain.VisionTransformer``.
        **kwargs: As there, without ``out_type`` and ``with_cls_token``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, out_type='featmap', **kwargs)

    @torch.no_grad()
    def _add_attention(
        self, attention: list[Tensor], num_heads: int, qkv: Tensor
    ) -> None:
        """Add a layer's attention to a list, without extra tokens."""
        row = class_attention(qkv, num_heads)
        attention.append(row[:, self.num_extra_tokens :])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return maps of images (N, 3, H, W), see above."""
        if self.training:
            return super().forward(x)
        attention: list[Tensor] = []
        # For this call only, so that a copied network fills its own list.
        hooks = [
            layer.attn.qkv.register_forward_hook(
                lambda module, args, out, heads=layer.attn.num_heads: (
                    self._add_attention(attention, heads, out)
                )
            )
            for layer in self.layers
        ]
        try:
            maps = super().forward(x)
        finally:
            for hook in hooks:
                hook.remove()
        mean = torch.stack(attention).mean(dim=0)
        return (mean.unflatten(1, maps[-1].shape[-2:])[:, None], *maps)


@MODELS.register_module()
class TSCAMHead(PredictsMaps, ClsHead):
    """Token Semantic Coupled Attention Map.

    Gao et al., "TS-CAM: Token Semantic Coupled Attention Map for Weakly
    Supervised Object Localization", ICCV 2021, arXiv 2103.14862, section 3.
    A 3x3 convolution turns the patch tokens' map into a map for each class,
    whose mean is the score. In testing, the map of a class is that one times
    the class token's attention, which knows no classes; it is from
    ``mmocc.TSCAMViT``. The attention is averaged over the layers as in the
    paper; the authors' code adds them up, which changes no box.

    Args:
        num_classes: Number of classes.
        in_channels: Width of the tokens.
        maps: ``pred``, ``gt`` or ``all``, as in :class:`CAMHead`.
        **kwargs: Of ``mmpretrain.ClsHead`` (``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``).

    Raises:
        ValueError: If a map is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        maps: Sequence[str] = ('pred', 'gt'),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.maps = check_maps(maps, MAPS)
        self.conv = nn.Conv2d(in_channels, num_classes, 3, padding=1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the scores (N, classes); the last feature is a map."""
        return self.conv(feats[-1]).mean(dim=(2, 3))

    def class_maps(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> Tensor:
        """Return maps as :meth:`CAMHead.class_maps`, of any range.

        Raises:
            ValueError: If the features lack the attention, or a label is no
                class of this head.
        """
        if len(feats) < 2 or feats[-2].shape[1:2] != (1,):
            raise ValueError(
                "mmocc.TSCAMHead's maps need the class token's attention "
                'before the last map: use mmocc.TSCAMViT as the backbone, '
                'in evaluation mode'
            )
        weight, bias = (part.float() for part in self.conv.parameters())
        with torch.autocast(weight.device.type, enabled=False):
            maps = F.conv2d(feats[-1].float(), weight, bias, padding=1)
            maps = maps * feats[-2].float()
        if labels is None:
            return maps
        check_labels(labels, self.num_classes)
        return maps[torch.arange(len(labels), device=labels.device), labels]
