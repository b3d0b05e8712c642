"""Recognition of an expression from CNN features and a ViT's latents.

Lee et al., "Latent-OFER", arXiv 2307.11404::

    map (N, C, h, w) --+-> attention heads --> CNN feature (N, C) ------+
                       |         |                                      |
                       |     attention (N, h, w)                        v
                       |         v                                   fusion
    latents (N, L, D) -----> selected tokens --> readout (N, D') -------^
                             (N, K, D)

The paper gives no layer sizes. With four heads, ``mode='box'`` of the selector
and ``mmocc.LatentMLP`` as readout, the layers are those of the authors'
release, 474,719,997 parameters with a ResNet-18.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmpretrain.models.heads import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional as F

from mmocc.models.ofer.latent_readout import fit_attention
from mmocc.registry import MODELS

KEYS = ('spatial', 'cam')


class Recognition(NamedTuple):
    """What the head makes of N faces.

    Attributes:
        logits: (N, num_classes).
        attention: The keys: (N, gh, gw) on the grid of patches, or (N, h, w)
            without latents.
        chosen: (N, K) int64 patches of the latents it read, or None.
        cam_logits: (N, num_classes) of the class maps, or None.
    """

    logits: Tensor
    attention: Tensor
    chosen: Tensor | None
    cam_logits: Tensor | None


@MODELS.register_module()
class OFERHead(ClsHead):
    """Attention, selected latents, fusion and classification.

    It pools, so the model needs no pooling neck. Without a selector it reads
    no latents and works in any ``ImageClassifier``.

    Args:
        num_classes: Number of expressions.
        in_channels: Channels C of the feature map.
        num_heads: Attention heads; the release has 4, and adds the logarithms
            of their softmax over the heads. The feature of a single head
            stays.
        attention: Config of a head.
        selector: Config of ``mmocc.LatentTokenSelector``; None reads no
            latents.
        readout: Config of what makes one vector of the chosen latents, such as
            ``mmocc.LatentProjection``.
        keys: What chooses the positions: ``spatial``, the mean of the heads'
            attention; ``cam``, the class activation map of the class that an
            additional linear layer predicts (trained by ``loss_cam``).
            ValueError for others.
        hidden_dims: Widths of the fusion.
        loss: Config of the classification loss.
        loss_cam_weight: Weight of ``loss_cam``.
        **kwargs: Of ``mmpretrain.ClsHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_heads: int = 4,
        attention: dict | None = None,
        selector: dict | None = None,
        readout: dict | None = None,
        keys: str = 'spatial',
        hidden_dims: tuple[int, int] = (256, 128),
        loss: dict | None = None,
        loss_cam_weight: float = 1.0,
        **kwargs,
    ) -> None:
        loss = loss or dict(type='mmpretrain.CrossEntropyLoss')
        super().__init__(loss=loss, **kwargs)
        if keys not in KEYS:
            raise ValueError(f'keys {keys!r} is none of {KEYS}')
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.loss_cam_weight = loss_cam_weight
        attention = dict(attention or {}, in_channels=in_channels)
        attention.setdefault('type', 'mmocc.ChannelSpatialAttention')
        self.heads = nn.ModuleList(
            MODELS.build(attention) for _ in range(num_heads)
        )
        self.selector = self.readout = self.cam = None
        width, (first, second) = in_channels, hidden_dims
        if selector is not None:
            self.selector = MODELS.build(selector)
            self.readout = MODELS.build(readout)
            width += self.readout.out_dims
            if keys == 'cam':
                self.cam = nn.Linear(in_channels, num_classes)
        self.fuse = nn.Sequential(
            nn.Linear(width, first),
            nn.Linear(first, second),
            nn.BatchNorm1d(second),
        )
        self.classify = nn.Sequential(
            nn.Linear(second, num_classes), nn.BatchNorm1d(num_classes)
        )

    def recognise(
        self,
        feats: tuple[Tensor, ...],
        latents: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Recognition:
        """Classify N faces, and return where the head looked.

        Args:
            feats: Features; the last is (N, C, h, w), otherwise ValueError.
            latents: (N, L, D) or (N, 1 + L, D); a head with a selector raises
                ValueError without them.
            grid: (gh, gw) of the latents' patches.
        """
        self._check(feats[-1], latents)
        maps = [head(feats[-1]) for head in self.heads]
        vector = self.merge([m.feature.mean(dim=(2, 3)) for m in maps])
        attention = torch.stack([m.attention for m in maps]).mean(0)
        chosen = cam_logits = None
        if self.selector is not None:
            if self.cam is not None:
                feature = torch.stack([m.feature for m in maps]).mean(0)
                attention, cam_logits = self.class_map(feature)
            attention = fit_attention(attention, grid)
            tokens, chosen = self.selector(attention, latents, grid)
            vector = torch.cat([vector, self.readout(tokens)], dim=1)
        logits = self.classify(self.fuse(vector)).float()
        return Recognition(logits, attention.detach(), chosen, cam_logits)

    @staticmethod
    def merge(features: Sequence[Tensor]) -> Tensor:
        """Merge the features (N, C) of the heads into one."""
        if len(features) == 1:
            return features[0]
        return torch.stack(list(features)).log_softmax(dim=0).sum(dim=0)

    def class_map(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map (N, h, w) of the best class, and the class logits.

        The map is the sum over channels of weight times feature, without the
        bias (Zhou et al., CVPR 2016, equation 2).
        """
        logits = self.cam(feature.mean(dim=(2, 3)))
        weight = self.cam.weight[logits.argmax(dim=1)]
        return torch.einsum('nchw,nc->nhw', feature, weight), logits

    def _check(self, feature: Tensor, latents: Tensor | None) -> None:
        """Raise ValueError if it is not a map, or latents are missing."""
        if feature.ndim != 4 or feature.shape[1] != self.in_channels:
            raise ValueError(
                f'mmocc.OFERHead needs maps (N, {self.in_channels}, h, w), '
                f'got {tuple(feature.shape)}; leave out a pooling neck, and '
                "set in_channels to the channels of the backbone's last stage"
            )
        if self.selector is not None and latents is None:
            raise ValueError(
                'this mmocc.OFERHead reads latents: use it in mmocc.LatentOFER'
                ' with an extractor, or set selector=None'
            )

    def _check_labels(self, samples: Sequence[DataSample]) -> None:
        """Raise ValueError if a label is none of the classes."""
        for sample in samples:
            labels = sample.gt_label.flatten().tolist()
            wrong = [n for n in labels if not 0 <= n < self.num_classes]
            if wrong:
                name = sample.get('img_path', 'a sample')
                raise ValueError(
                    f'{name}: its label {wrong[0]} is none of the '
                    f'{self.num_classes} classes of the head, 0 to '
                    f'{self.num_classes - 1}; set model.head.num_classes, or '
                    'correct the labels'
                )

    def forward(
        self,
        feats: tuple[Tensor, ...],
        latents: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Tensor:
        """Return the (N, num_classes) logits; see :meth:`recognise`."""
        return self.recognise(feats, latents, grid).logits

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample],
        latents: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> dict[str, Tensor]:
        """Return ``loss_cls``, and ``loss_cam`` if its maps are the keys."""
        self._check_labels(data_samples)
        result = self.recognise(feats, latents, grid)
        losses = self._get_loss(result.logits, data_samples)
        losses['loss_cls'] = losses.pop('loss')
        if result.cam_logits is not None:
            labels = torch.cat([sample.gt_label for sample in data_samples])
            loss_cam = F.cross_entropy(result.cam_logits.float(), labels)
            losses['loss_cam'] = self.loss_cam_weight * loss_cam
        return losses

    def predict(
        self,
        feats: tuple[Tensor, ...],
        data_samples: list[DataSample | None] | None = None,
        latents: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> list[DataSample]:
        """Return the samples with score, label, attention and choice.

        ``attention`` is (gh, gw) or (h, w), see :class:`Recognition`;
        ``chosen_patches`` (gh, gw) bool marks the latents that were read.
        """
        result = self.recognise(feats, latents, grid)
        samples = self._get_predictions(result.logits, data_samples)
        for number, sample in enumerate(samples):
            sample.attention = result.attention[number]
            if result.chosen is not None:
                flags = torch.zeros_like(result.attention[number].flatten())
                flags[result.chosen[number]] = 1
                sample.chosen_patches = flags.bool().view(grid)
        return samples
