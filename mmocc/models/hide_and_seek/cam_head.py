"""Global pooling, a linear layer, and the class maps that follow from them."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.registry import MODELS
from mmocc.utils.cell_grid import CellGrid

POOLS = ('avg', 'max')
MAPS = ('pred', 'gt', 'all')


def check_maps(maps: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return which maps to add to samples; ValueError if one is unknown."""
    if isinstance(maps, str) or set(maps) - set(known):
        raise ValueError(f'maps {maps!r} must be a list of some of {known}')
    return tuple(maps)


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Raise ValueError if one of labels (N,) is no class of a head."""
    if labels.numel() and not (
        labels.min() >= 0 and labels.max() < num_classes
    ):
        raise ValueError(
            f'labels {labels.tolist()} must be classes from 0 to '
            f'{num_classes - 1}: num_classes of the head does not fit the '
            'data set'
        )


def true_labels(samples: Sequence[DataSample], why: str) -> Tensor:
    """Return the labels (N,) of N samples.

    Args:
        samples: Each has one label.
        why: What needs it, for the error.

    Raises:
        ValueError: If a sample has none or several.
    """
    labels = torch.cat([sample.gt_label for sample in samples])
    if len(labels) != len(samples):
        raise ValueError(f'{why}: each sample needs one label')
    return labels


def add_maps(
    samples: Sequence[DataSample],
    maps: Sequence[str],
    class_maps: Callable[[Tensor | None], Tensor],
    cells: CellGrid | None = None,
) -> None:
    """Set class maps on N predicted samples.

    Args:
        samples: With ``pred_label``; changed in place.
        maps: As in :class:`CAMHead`.
        class_maps: As :meth:`CAMHead.class_maps`, from labels.
        cells: Where the maps' cells lie in the images, if it is known: the
            samples' ``map_cells``.

    Raises:
        ValueError: If a sample has several true classes and ``gt`` is in
            ``maps``.
    """
    if cells is not None:
        for sample in samples:
            # Plain tuples, which any reader of stored samples knows
            sample.set_metainfo(dict(map_cells=tuple(cells)))
    if 'all' in maps:
        for sample, cams in zip(samples, class_maps(None), strict=True):
            sample.cams = cams
    labels = torch.cat([sample.pred_label for sample in samples])
    if 'pred' in maps:
        for sample, cam in zip(samples, class_maps(labels), strict=True):
            sample.pred_cam = cam
    known = [i for i, sample in enumerate(samples) if 'gt_label' in sample]
    if 'gt' in maps and known:
        for index in known:
            if len(samples[index].gt_label) != 1:
                raise ValueError(
                    f'{samples[index].get("img_path", "a sample")} has '
                    f'{len(samples[index].gt_label)} true classes, so no map '
                    "of *the* true class: leave 'gt' out of maps"
                )
            labels[index] = samples[index].gt_label[0]
        cams = class_maps(labels)
        for index in known:
            samples[index].gt_cam = cams[index]


class PredictsMaps:
    """What heads with class maps share: ``predict`` adds them to samples.

    A head has ``maps``, those to add, and ``class_maps(feats, labels)``.
    """

    cells: CellGrid | None = None  # mmocc.MapCellsHook finds it

    def predict(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample | None] | None = None,
    ) -> list[DataSample]:
        """Return the samples with scores, labels and the chosen maps."""
        samples = super().predict(feats, data_samples)
        add_maps(
            samples, self.maps, partial(self.class_maps, feats), self.cells
        )
        return samples


@MODELS.register_module()
class CAMHead(PredictsMaps, LinearClsHead):
    """Linear classifier on a pooled map, with a map for each class.

    Zhou et al., "Learning Deep Features for Discriminative Localization",
    CVPR 2016, equation 2: the class map is the sum over channels of weight
    times feature, here without the bias, without any rectification, and in
    float32. The scores come from the same features, without a second forward
    pass: with average pooling, a score is the mean of its map plus the bias.

    It does the pooling, so the model needs no ``GlobalAveragePooling`` neck.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the feature map.
        pool: ``avg``, or ``max`` (Max-HaS of arXiv 1704.04232).
        maps: What ``predict`` adds to the samples: ``pred`` sets
            ``pred_cam``, the (h, w) map of the predicted class; ``gt`` sets
            ``gt_cam``, that of the true class, where there is a label;
            ``all`` sets ``cams``, the (num_classes, h, w) maps.
        dropout: Dropout ratio before the linear layer.
        **kwargs: Of ``mmpretrain.LinearClsHead`` (``loss``, ``topk``,
            ``cal_acc``, ``init_cfg``).

    Raises:
        ValueError: If ``pool`` or one of ``maps`` is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        pool: str = 'avg',
        maps: Sequence[str] = ('pred', 'gt'),
        dropout: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if pool not in POOLS:
            raise ValueError(f'pool {pool!r} is none of {POOLS}')
        self.pool = pool
        self.maps = check_maps(maps, MAPS)
        self.dropout = nn.Dropout(dropout)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the (N, in_channels) pooled features.

        Raises:
            ValueError: If the last of ``feats`` is not (N, in_channels, h, w).
        """
        feat = feats[-1]
        if feat.ndim != 4 or feat.shape[1] != self.in_channels:
            raise ValueError(
                f'mmocc.CAMHead needs maps (N, {self.in_channels}, h, w), '
                f'got {tuple(feat.shape)}; it pools by itself, so leave out '
                'a pooling neck, and set in_channels to the channels of the '
                "backbone's last stage"
            )
        pool = torch.mean if self.pool == 'avg' else torch.amax
        return self.dropout(pool(feat, dim=(2, 3)))

    def class_maps(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> Tensor:
        """Return class maps.

        Args:
            feats: Features; the last is (N, in_channels, h, w).
            labels: (N,) int64, the class for each image; None for all.

        Returns:
            (N, h, w), or (N, num_classes, h, w) for all classes; float32,
            any range.

        Raises:
            ValueError: If a label is no class of this head.
        """
        feat = feats[-1]
        with torch.autocast(feat.device.type, enabled=False):
            feat, weight = feat.float(), self.fc.weight.float()
            if labels is None:
                return torch.einsum('nchw,kc->nkhw', feat, weight)
            check_labels(labels, self.num_classes)
            return torch.einsum('nchw,nc->nhw', feat, weight[labels])
