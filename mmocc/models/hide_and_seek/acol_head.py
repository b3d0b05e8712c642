"""ACoL: two classifiers, of which the second does not see the first's map."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.hide_and_seek.cam_head import (
    PredictsMaps,
    check_maps,
    true_labels,
)
from mmocc.registry import MODELS

MAPS = ('pred', 'gt')


def scale_maps(maps: Tensor) -> Tensor:
    """Scale each map (N, h, w) to [0, 1]; a constant one becomes 0."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    high = maps.amax(dim=(1, 2), keepdim=True)
    # The reference divides by 0 there.
    return (maps - low) / (high - low).clamp(min=torch.finfo(maps.dtype).tiny)


@MODELS.register_module()
class ACoLHead(PredictsMaps, ClsHead):
    """Adversarial Complementary Learning: two branches of convolutions.

    Zhang et al., "Adversarial Complementary Learning for Weakly Supervised
    Object Localization", CVPR 2018, arXiv 1804.06962, section 3.2. Each
    branch ends with a 1x1 convolution to the classes: its output is a map for
    each class, and the mean of that the score. Branch A sees the features;
    branch B sees them set to 0 where A's map of the true class, scaled to
    [0, 1], is at least ``threshold``. Both learn from the label. In testing,
    the map of a class is the larger one of both, each scaled to [0, 1], and
    the scores are A's, as in clovaai/wsolevaluation.

    It sets ``gt_cam`` and ``pred_cam`` as :class:`CAMHead`, in [0, 1]. The
    model needs no pooling neck.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the features.
        channels: Of the convolutions, 3x3 with a ReLU, before the last one.
        threshold: Share of A's range from which B sees nothing; the paper
            takes 0.6, wsolevaluation 0.7.
        maps: ``pred``, ``gt`` or both, as in :class:`CAMHead`.
        **kwargs: Of ``mmpretrain.ClsHead`` (``loss``, ``topk``, ``cal_acc``,
            ``init_cfg``).

    Raises:
        ValueError: If the threshold is outside (0, 1], or a map unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        channels: Sequence[int] = (1024, 1024),
        threshold: float = 0.6,
        maps: Sequence[str] = MAPS,
        init_cfg: dict | list[dict] | None = dict(
            type='Normal', layer='Conv2d', std=0.01
        ),
        **kwargs,
    ) -> None:
        super().__init__(init_cfg=init_cfg, **kwargs)
        if not 0 < threshold <= 1:
            raise ValueError(f'threshold is {threshold}; it must be in (0, 1]')
        self.num_classes, self.threshold = num_classes, threshold
        self.maps = check_maps(maps, MAPS)
        widths = (in_channels, *channels)
        self.branch_a, self.branch_b = (
            _branch(widths, num_classes) for _ in 'ab'
        )

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return A's scores (N, classes); the last feature is a map."""
        return self.branch_a(feats[-1]).mean(dim=(2, 3))

    def erased(self, feats: tuple[Tensor, ...], a: Tensor) -> Tensor:
        """Return what branch B sees, for A's maps (N, h, w)."""
        kept = scale_maps(a.detach()) < self.threshold
        return feats[-1] * kept[:, None]

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kw
    ) -> dict[str, Tensor]:
        """Return ``loss_a`` and ``loss_b``, and the accuracy.

        Raises:
            ValueError: If a sample has not exactly one label.
        """
        labels = true_labels(
            data_samples, 'mmocc.ACoLHead erases the map of *the* true class'
        )
        maps = self.branch_a(feats[-1])
        own = maps[torch.arange(len(labels), device=maps.device), labels]
        scores_b = self.branch_b(self.erased(feats, own)).mean(dim=(2, 3))
        losses = self._get_loss(maps.mean(dim=(2, 3)), data_samples, **kw)
        losses['loss_a'] = losses.pop('loss')
        size = len(labels)
        losses['loss_b'] = self.loss_module(scores_b, labels, avg_factor=size)
        return losses

    def class_maps(self, feats: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        """Return the maps (N, h, w) of classes (N,), in [0, 1]."""
        with torch.autocast(feats[-1].device.type, enabled=False):
            feats = (feats[-1].float(),)
            place = torch.arange(len(labels), device=labels.device), labels
            a = self.branch_a(feats[-1])[place]
            b = self.branch_b(self.erased(feats, a))[place]
            return torch.maximum(scale_maps(a), scale_maps(b))


def _branch(widths: Sequence[int], num_classes: int) -> nn.Sequential:
    """Return 3x3 convolutions with a ReLU each, and a 1x1 one."""
    layers: list[nn.Module] = []
    for pair in pairwise(widths):
        layers += [nn.Conv2d(*pair, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], num_classes, 1))
