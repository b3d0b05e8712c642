"""A classifier of which only what follows the backbone is trained.

A linear probe; and, with occluded images, the control of LEARN that trains the
head alone. Features that do not change are computed once.
"""

import copy

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from mmocc.models.feature_maps import last_feature
from mmocc.models.learn.batch_occluder import add_twins, build_occluder
from mmocc.models.learn.clean_cache import CleanCache
from mmocc.registry import MODELS


@MODELS.register_module()
class FrozenBackboneClassifier(ImageClassifier):
    """Image classifier with a frozen backbone, its batch norms included.

    Neck and head train, by the head's own loss, on the last feature of the
    backbone. Checkpoints load into a plain ``ImageClassifier``.

    Args:
        backbone: Config of the backbone; with its weights in ``init_cfg``.
        *args: As in ``mmpretrain.ImageClassifier``.
        occluder: As in ``mmocc.LEARNClassifier``: trains on each image and on
            its occluded twin. None: on the images alone.
        clean_cache: As in ``mmocc.LEARNClassifier``; both can share a folder.
        clean_cache_dtype: Likewise.
        clean_cache_limit_gib: Likewise.
        **kwargs: As in ``mmpretrain.ImageClassifier``.

    Raises:
        ValueError: In training, if the cache does not fit the images or the
            backbone.
    """

    def __init__(
        self,
        backbone: dict,
        *args,
        occluder: dict | None = None,
        clean_cache: str | None = None,
        clean_cache_dtype: str = 'float16',
        clean_cache_limit_gib: float = 50.0,
        **kwargs,
    ) -> None:
        settings = [copy.deepcopy(backbone)]
        super().__init__(backbone, *args, **kwargs)
        self.backbone.requires_grad_(False)
        self.occluder = None
        if occluder is not None:
            self.occluder = build_occluder(occluder, self.data_preprocessor)
        self.clean_cache = clean_cache and CleanCache(
            clean_cache, settings, clean_cache_dtype, clean_cache_limit_gib
        )
        self.train(self.training)

    def train(self, mode: bool = True) -> 'FrozenBackboneClassifier':
        """Set the mode; the backbone stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def frozen_feature(self, inputs: Tensor) -> Tensor:
        """Return the backbone's last feature of (N, C, H, W) images."""
        return last_feature(self.backbone(inputs))

    def _features(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> Tensor:
        """Return the features of images, and then of their twins if any."""
        if self.clean_cache:
            self.clean_cache.check([self.backbone])
            return self.clean_cache(
                self.frozen_feature, inputs, self.occluder, data_samples
            )
        if self.occluder is not None:
            inputs = add_twins(inputs, self.occluder, data_samples)
        return self.frozen_feature(inputs)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Return the head's losses.

        Args:
            inputs: (N, C, H, W), normalised.
            data_samples: N samples with labels.
        """
        feats = (self._features(inputs, data_samples),)
        if self.with_neck:
            feats = self.neck(feats)
        samples = list(data_samples)
        return self.head.loss(
            feats, samples if self.occluder is None else [*samples, *samples]
        )
