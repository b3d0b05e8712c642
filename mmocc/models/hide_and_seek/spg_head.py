"""SPG: a network whose own class map teaches it what is object."""

from collections.abc import Sequence

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional as F

from mmocc.models.hide_and_seek.acol_head import scale_maps
from mmocc.models.hide_and_seek.cam_head import CAMHead, true_labels
from mmocc.registry import MODELS

UNKNOWN = -1.0
FEWEST = 30  # pixels of object; with fewer, the threshold is lowered
LOWERED = 0.7  # to this share of the maximum
Thresholds = Sequence[tuple[float, float]]


def find_seeds(maps: Tensor, high: float, low: float) -> Tensor:
    """Return what is object, background, or not known, from maps.

    Args:
        maps: (N, H, W) in [0, 1].
        high: Strictly above is object. Where that leaves fewer than 30
            pixels of an image, it is 0.7 times the image's maximum.
        low: Strictly below is background, object or not.

    Returns:
        (N, H, W) float: 1 object, 0 background, -1 not known.
    """
    sure = maps > high
    few = sure.sum(dim=(1, 2), keepdim=True) < FEWEST
    most = maps.amax(dim=(1, 2), keepdim=True)
    sure = torch.where(few, maps > LOWERED * most, sure)
    seeds = torch.full_like(maps, UNKNOWN).masked_fill(sure, 1)
    return seeds.masked_fill(maps < low, 0)


def seed_loss(logits: Tensor, seeds: Tensor) -> Tensor:
    """Return the mean binary cross entropy over the known pixels.

    Args:
        logits: (N, H, W), any range.
        seeds: (N, H, W), from :func:`find_seeds`.

    Returns:
        A number; 0 if no pixel is known.
    """
    known = seeds != UNKNOWN
    each = F.binary_cross_entropy_with_logits(
        logits, seeds.clamp(min=0), reduction='none'
    )
    return (each * known).sum() / known.sum().clamp(min=1)


@MODELS.register_module()
class SPGHead(CAMHead):
    """Self-Produced Guidance: the class map becomes a mask, layer by layer.

    Zhang et al., "Self-produced Guidance for Weakly-supervised Object
    Localization", ECCV 2018, arXiv 1807.08902, section 3. Branch A is the
    classifier, as in :class:`CAMHead`. Its map of the true class, scaled to
    [0, 1], names pixels that are surely object or background, and they teach
    B2, a branch on a deeper map; B2's answer teaches B1, on a shallower map;
    the mean answer of both teaches C, on the last map, and so the backbone.
    Masks are made at ``mask_size``, where 30 pixels are the fewest, and no
    gradient flows through them.

    Testing is CAMHead's. The layers, the fewest pixels, the thresholds and
    the sum of the four losses are those of clovaai/wsolevaluation; the
    authors' own code has (0.7, 0.05) as the first pair.

    ``feats`` must end with B1's map, B2's map and the last map:
    ``mmocc.InnerMapsBackbone`` gives them.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the last map.
        side_channels: Channels of the maps of B1 and B2.
        channels: Of the 3x3 convolutions in B.
        guided_channels: Of the 3x3 convolution in C.
        thresholds: (high, low) of the masks for B2, B1 and C.
        mask_size: (h, w) of the masks in pixels, the images' as a rule.
        init_cfg: Initialisation; of convolutions as in the reference.
        **kwargs: As in :class:`CAMHead`; ``pool`` must be ``avg``.

    Raises:
        ValueError: If thresholds are not three pairs with
            0 <= low <= high <= 1, side channels not two, or the pooling is
            another.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        side_channels: tuple[int, int] = (1024, 1024),
        channels: int = 1024,
        guided_channels: int = 512,
        thresholds: Thresholds = ((0.7, 0.01), (0.5, 0.05), (0.7, 0.1)),
        mask_size: tuple[int, int] = (224, 224),
        init_cfg: dict | list[dict] | None = [
            dict(type='Normal', layer='Linear', std=0.01),
            dict(type='Xavier', layer='Conv2d', distribution='uniform'),
        ],
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, **kwargs)
        if self.pool != 'avg':
            raise ValueError("mmocc.SPGHead's map needs pool='avg'")
        if len(side_channels) != 2:
            raise ValueError(
                f'side_channels {side_channels!r} must be two numbers, the '
                'channels of the maps of B1 and B2'
            )
        if len(thresholds) != 3 or not all(
            len(pair) == 2 and 0 <= pair[1] <= pair[0] <= 1
            for pair in thresholds
        ):
            raise ValueError(
                f'thresholds {thresholds!r} must be three pairs (high, low), '
                'of B2, B1 and C, with 0 <= low <= high <= 1'
            )
        self.thresholds, self.mask_size = thresholds, tuple(mask_size)
        self.branch_b1, self.branch_b2 = (
            _conv(width, channels) for width in side_channels
        )
        self.branch_b = nn.Sequential(
            *_conv(channels, channels), nn.Conv2d(channels, 1, 1)
        )
        self.branch_c = nn.Sequential(
            *_conv(in_channels, guided_channels),
            nn.Conv2d(guided_channels, 1, 1),
        )

    def side_logits(
        self, feats: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits (N, H, W) of B1, B2 and C, at the masks' size.

        Raises:
            ValueError: If there are fewer than three maps.
        """
        if len(feats) < 3:
            raise ValueError(
                f'mmocc.SPGHead needs three maps, got {len(feats)}: put the '
                'backbone into mmocc.InnerMapsBackbone, with two modules'
            )
        b1, b2, last = feats[-3:]
        return (
            self._enlarge(self.branch_b(self.branch_b1(b1))),
            self._enlarge(self.branch_b(self.branch_b2(b2))),
            self._enlarge(self.branch_c(last)),
        )

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kw
    ) -> dict[str, Tensor]:
        """Return ``loss_cls``, ``loss_b2``, ``loss_b1``, ``loss_c``.

        Raises:
            ValueError: If a sample has not exactly one label.
        """
        labels = true_labels(
            data_samples,
            'mmocc.SPGHead learns from the map of *the* true class',
        )
        losses = super().loss(feats, data_samples, **kw)
        losses['loss_cls'] = losses.pop('loss')
        b1, b2, c = self.side_logits(feats)
        with torch.no_grad():
            own = self.class_maps(feats, labels)[:, None]
            guides = (
                scale_maps(self._enlarge(own)),
                b2.sigmoid(),
                (b1.sigmoid() + b2.sigmoid()) / 2,
            )
        names = ('loss_b2', 'loss_b1', 'loss_c')
        for name, logits, guide, pair in zip(
            names, (b2, b1, c), guides, self.thresholds, strict=True
        ):
            losses[name] = seed_loss(logits, find_seeds(guide, *pair))
        return losses

    def _enlarge(self, maps: Tensor) -> Tensor:
        """Return maps (N, 1, h, w) as (N, H, W) float32 of the masks' size."""
        maps = F.interpolate(maps.float(), self.mask_size, mode='bilinear')
        return maps[:, 0]


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3x3 convolution with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)
    )
