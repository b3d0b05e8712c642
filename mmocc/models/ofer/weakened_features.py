r"""A classifier that trusts features less where something hides the face.

Instead of Latent-OFER's third stage, which redraws hidden pixels: the features
of a frozen network are weakened by degrees where a detector finds something
unusual, and a small head, trained on faces of which half are occluded, is told
where. docs/results/ofer_features.md compares it with its control::

    photo -> backbone -> tokens ----> weaken -> head -> expression
        \--> detector -> excess ------^-----------^
"""

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.ofer.feature_tokens import (
    FeatureTokens,
    excess,
    feature_sums,
    split_maps,
    token_features,
    weaken,
    with_cells,
)
from mmocc.models.ofer.patch_detector import RadiusFit
from mmocc.models.ofer.stage_model import check_images
from mmocc.registry import MODELS


@MODELS.register_module()
class WeakenedFeatureClassifier(ImageClassifier):
    """Classifier of features that a detector of occluded patches weakens.

    Only the head learns by gradients. :meth:`fit` takes the statistics of the
    detector and of the tokens from clean faces, by ``mmocc.FitRadiusHook(
    at_start=True)``; a detector with weights keeps its own. Checkpoints hold
    all parts.

    Args:
        backbone: Config of a network with trained weights that gives maps of
            several levels; it stays frozen.
        head: Config of a head of mmpretrain; the model sets its
            ``in_channels`` to T * (dims + 1), T being the number of tokens.
        detector: Config of a detector of occluded patches, such as
            ``mmocc.PatchGaussian``. None weakens nothing: the control.
        grid: (gh, gw) of the detector's patches.
        size: Side in pixels to which faces are resized for the backbone.
        dims: Principal components of a token.
        slope: Of :func:`weaken`.
        drop: Share of the head's inputs that is dropped in training.
        mirror: Whether :meth:`fit` also takes the mirror images of faces.
        **kwargs: Of ``ImageClassifier``. The images must be normalised as in
            the training of the backbone.

    Raises:
        ValueError: If an option is out of its range, or the maps do not fit
            the grid.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        detector: dict | None = None,
        grid: tuple[int, int] = (8, 8),
        size: int = 128,
        dims: int = 32,
        slope: float = 8.0,
        drop: float = 0.5,
        mirror: bool = True,
        **kwargs,
    ) -> None:
        if slope <= 0 or not 0 <= drop < 1:
            raise ValueError(
                f'slope={slope}, drop={drop}: the slope must be positive, and '
                'drop at least 0 and below 1'
            )
        super().__init__(backbone, **kwargs)
        self.grid, self.size = tuple(grid), size
        self.slope, self.drop, self.mirror = slope, drop, mirror
        self.detector = detector and MODELS.build(detector)
        if isinstance(self.detector, BaseModel):
            self.detector.data_preprocessor = self.data_preprocessor
        self.requires_grad_(False)
        self.train(False)
        maps = self._maps(torch.zeros(1, 3, size, size))
        parts = token_features(maps, self.grid)
        far = split_maps(maps, self.grid)[1]
        self.coarser = [tuple(level.shape[-2:]) for level in far]
        self.tokens = FeatureTokens([p.shape[1:] for p in parts], dims)
        number = sum(part.shape[1] for part in parts)
        self.head = MODELS.build(dict(head, in_channels=number * (dims + 1)))
        self.train()

    def train(self, mode: bool = True) -> 'WeakenedFeatureClassifier':
        """Set the mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        if self.detector is not None:
            self.detector.eval()
        return self

    @property
    def radius(self) -> Tensor:
        """The detector's radius, infinite without one; 0 if not fitted."""
        buffer = self.tokens.axes0
        if not self.tokens.fitted:
            return buffer.new_tensor(0.0)
        if self.detector is None:
            return buffer.new_tensor(math.inf)
        return self.detector.radius

    @torch.no_grad()
    def fit(self, batches: Iterable[dict]) -> RadiusFit:
        """Fit the detector, unless its radius is known, and the tokens.

        Args:
            batches: Of a dataloader of clean faces, without random changes.

        Raises:
            ValueError: If there is no face.
        """
        if self.mirror:
            batches = WithMirrored(batches)
        fitted = RadiusFit(0, math.nan)
        if self.detector is not None and not self.detector.radius > 0:
            fitted = self.detector.fit(batches)
        kinds = [
            feature_sums(self.tokens.mean0.new_zeros(0, *shape))
            for shape in self.tokens.shapes
        ]
        for data in batches:
            images = self.data_preprocessor(data, False)['inputs']
            parts = token_features(self._maps(images), self.grid)
            kinds = [
                sums + feature_sums(part)
                for sums, part in zip(kinds, parts, strict=True)
            ]
        for sums in kinds:
            for value in sums:
                all_reduce(value)
        self.tokens.fit(kinds)
        return fitted

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[DataSample]:
        """Return logits (``tensor``), losses or predicted samples.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: N samples; with ``gt_label`` for losses.
            mode: ``tensor``, ``loss`` or ``predict``.

        Raises:
            ValueError: If there is no image, or, except for losses, one has
                values that are no numbers; or the mode is unknown.
            RuntimeError: If the statistics are not fitted.
        """
        check_images(inputs, data_samples, mode)
        if mode == 'tensor':
            return self.head(self.extract_feat(inputs))
        if mode not in ('loss', 'predict'):
            raise ValueError(f'mode={mode!r} is none of tensor, loss, predict')
        return getattr(self, mode)(inputs, data_samples)

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Return what the head reads of (N, 3, H, W): (N, T * (dims + 1))."""
        return self.read(inputs, self.distances(inputs))

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses.

        In training, a detector that kept its folds judges each face by those
        of other people, as it will judge new faces.
        """
        if self.training and self.detector is not None:
            distances = self.detector.training_distances(inputs, data_samples)
        else:
            distances = self.distances(inputs)
        (read,) = self.read(inputs, distances)
        read = F.dropout(read, self.drop, self.training)
        return self.head.loss((read,), data_samples)

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        **kwargs,
    ) -> list[DataSample]:
        """Return samples (new ones for None) with the head's fields.

        With a detector, those of :class:`PatchDetector` as well:
        ``pred_patch_dist`` and ``pred_patch_mask`` (L,), and ``patch_grid``
        and ``patch_radius`` as metainfo. ``kwargs`` are the head's.
        """
        distances = self.distances(inputs)
        read = self.read(inputs, distances)
        samples = self.head.predict(read, data_samples, **kwargs)
        if self.detector is None:
            return samples
        radius = float(self.radius)
        for sample, row in zip(samples, distances, strict=True):
            sample.set_metainfo(
                dict(patch_grid=self.grid, patch_radius=radius)
            )
            sample.pred_patch_dist = row
            sample.pred_patch_mask = row > radius
        return samples

    @torch.no_grad()
    def _maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the backbone's maps of normalised images."""
        if tuple(images.shape[-2:]) != (self.size, self.size):
            images = F.interpolate(
                images, (self.size,) * 2, mode='bilinear', antialias=True
            )
        return self.backbone(images)

    @torch.no_grad()
    def distances(self, images: Tensor) -> Tensor:
        """Return the detector's (N, L); zeros without a detector."""
        if self.detector is None:
            return images.new_zeros(len(images), math.prod(self.grid))
        return self.detector.patch_distances(images)

    @torch.no_grad()
    def read(self, images: Tensor, distances: Tensor) -> tuple[Tensor]:
        """Return what the head reads, given distances (N, L)."""
        if not self.radius > 0:
            raise RuntimeError(
                'the statistics of mmocc.WeakenedFeatureClassifier are not '
                "fitted: put dict(type='mmocc.FitRadiusHook', at_start=True) "
                'into custom_hooks, with a dataloader of clean faces, or load '
                'a checkpoint'
            )
        if distances.shape[1] != math.prod(self.grid):
            raise ValueError(
                f'the detector finds {distances.shape[1]} patches, the model '
                f'has a grid of {self.grid}: give both the same grid'
            )
        tokens = self.tokens(token_features(self._maps(images), self.grid))
        told = with_cells(
            excess(distances, self.radius), self.grid, self.coarser
        )
        weakened = weaken(tokens, told, self.slope)
        return (torch.cat([weakened.flatten(1), told], 1),)


class WithMirrored:
    """Batches of a dataloader, each followed by its mirror image.

    Args:
        batches: Of clean images; it is read again each time.
    """

    def __init__(self, batches: Iterable[dict]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[dict]:
        """Yield batches."""
        for data in self.batches:
            yield data
            mirrored = [image.flip(-1) for image in data['inputs']]
            yield dict(data, inputs=mirrored)
